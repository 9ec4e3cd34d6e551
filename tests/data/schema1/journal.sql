BEGIN TRANSACTION;
CREATE TABLE build (source TEXT PRIMARY KEY, origin TEXT, job TEXT, number INTEGER, started INTEGER,
    state TEXT, tries INTEGER DEFAULT 0, due REAL DEFAULT 0, note TEXT DEFAULT '',
    name TEXT DEFAULT '', bundle TEXT DEFAULT '', component TEXT, track TEXT, phase TEXT, verdict TEXT,
    authors TEXT DEFAULT '');
INSERT INTO "build" VALUES('local/trunk/greet/build/1@1767225600001','local','trunk/greet/build',1,1767225600001,'bundled',0,0.0,'','b1b388ab9e042f4f318f','0000000000000000000000000000000000000000000000000000000000000001','greet','trunk','build','passed','a@example.org');
INSERT INTO "build" VALUES('local/trunk/greet/build/2@1767225600002','local','trunk/greet/build',2,1767225600002,'gone',0,0.0,'the run was removed','','',NULL,NULL,NULL,NULL,'');
INSERT INTO "build" VALUES('local/trunk/greet/build/3@1767225600003','local','trunk/greet/build',3,1767225600003,'seen',0,0.0,'','','',NULL,NULL,NULL,NULL,'');
CREATE TABLE delivery (name TEXT, output TEXT, state TEXT, tries INTEGER DEFAULT 0, due REAL DEFAULT 0,
    note TEXT DEFAULT '', PRIMARY KEY (name, output)) WITHOUT ROWID;
INSERT INTO "delivery" VALUES('b1b388ab9e042f4f318f','mail','waiting',1,1.76722563882352948182e+09,'no route');
INSERT INTO "delivery" VALUES('b1b388ab9e042f4f318f','site','delivered',0,0.0,'');
CREATE TABLE mark (job TEXT PRIMARY KEY, number INTEGER, started INTEGER) WITHOUT ROWID;
INSERT INTO "mark" VALUES('trunk/greet/build',3,1767225600003);
CREATE TABLE output (name TEXT PRIMARY KEY, tries INTEGER, due REAL, note TEXT) WITHOUT ROWID;
INSERT INTO "output" VALUES('gerrit',1,1.76722563905882358546e+09,'down');
CREATE INDEX build_state ON build (state);
CREATE INDEX build_name ON build (name);
CREATE INDEX build_lane ON build (component, track, phase);
COMMIT;
