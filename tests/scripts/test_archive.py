"""The step archive, with real packages; that apt can use the archive is shown in tests/integration."""

from __future__ import annotations

import gzip
import io
import shutil
import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
from debian.deb822 import Deb822, Release

from lab.base import environment
from lab.base.run import output, run
from lab.forges.proposals import ProposalId
from lab.store.archive import ArchiveReader
from lab.store.records import rfc3339
from lab.store.run_directory import Run
from lab.store.runs import Store
from lab.store.step import StepContext
from scripts import archive, push, upload
from scripts.archives import lab_archive, package_source, retention, versions
from scripts.archives.versions import PoolVersion
from tests.archives import assert_signed, assert_whole, listed, pool, served, suites
from tests.packages import pretend_also_built, pretend_built, start


@pytest.fixture(autouse=True)
def own_tmp(monkeypatch):
    """Remove leftovers of killed steps with the test."""
    with tempfile.TemporaryDirectory(prefix="qalab-test-") as directory:
        monkeypatch.setenv("TMPDIR", directory)
        yield


@pytest.fixture
def publish(lab_factory, bench):
    """``publish("1.0-1", ...)``: build a version in a new run and put it into the archive."""

    def do(version, *, lab=None, track="trunk", verdict="passed", component=None, **options):
        work = bench(lab or lab_factory(), track=track, component=component)
        pretend_built(work, version, **options)
        record = work.execute(archive)
        assert record.verdict == verdict, work.log("archive")
        return record, work

    return do


@pytest.mark.integration
def test_architectures_are_joined_in_one_version(lab_factory, bench):
    series = {"bookworm": {"architectures": ["amd64", "arm64"]}}
    work = bench(lab_factory(lab={"series": series}))
    pretend_built(work, "1.0-1")
    for name in ("amd64", "arm64"):
        pretend_also_built(work, name)
    assert work.execute(archive).verdict == "passed"
    root = Store.of(work.lab).archive
    for name in ("amd64", "arm64"):
        index = ArchiveReader.at(root).index("trunk", f"main/binary-{name}/Packages")
        found = [(item["Package"], item["Architecture"]) for item in Deb822.iter_paragraphs(index)]
        assert found == [("greet", "all"), ("greet-tool", name)]
    assert Release((root / "dists/trunk/Release").read_text())["Architectures"].split()[:2] == ["amd64", "arm64"]
    assert work.execute(archive).message == "trunk has it already"


@pytest.mark.integration
def test_a_version_is_added_once(publish):
    record, work = publish("1.0-1")
    root = Store.of(work.lab).archive
    found = ArchiveReader.at(root).existing("trunk")
    state = found.name
    assert (found.number, found.parent, found.why, found.changes) == (1, "", "add greet 1.0-1", ())
    assert Run(work.run.path).info.archive == state
    assert record.facts == {"codename": "trunk", "path": str(root), "added": True, "archive": state}
    parameters = work.run.results / "parameters.properties"
    parameters_text = parameters.read_text()
    assert parameters_text == f"COMPONENT=greet\nCOMMIT={'0' * 40}\nVERSION=1.0-1\nARCHIVE={state}\nCAUSE=by hand\n"
    assert record.version == "1.0-1"
    release = Release((root / "dists/trunk/Release").read_text())
    assert (release["Origin"], release["Label"], release["Suite"], release["Codename"]) == (
        "testlab", "testlab", "trunk", "trunk")  # fmt: skip
    assert pool(root) == [
        "greet_1.0-1.debian.tar.xz",
        "greet_1.0-1.dsc",
        "greet_1.0-1_all.deb",
        "greet_1.0.orig.tar.gz",
    ]
    assert listed(root) == ["greet 1.0-1"]
    signature = (root / "dists/trunk/InRelease").read_bytes()

    again = work.execute(archive)
    assert (again.verdict, again.message, again.facts["added"]) == ("passed", "trunk has it already", False)
    assert (root / "dists/trunk/InRelease").read_bytes() == signature
    assert (work.run.results / "parameters.properties").read_text() == parameters_text
    assert_whole(root)
    assert suites(root) == ["trunk", state]


@pytest.mark.integration
def test_a_change_makes_a_state_beside_that_of_before(publish):
    _, work = publish("1.0-1", binaries=("greet.deb", "greet-doc.deb"))
    root = Store.of(work.lab).archive
    first = ArchiveReader.at(root).existing("trunk")
    frozen = {path: path.read_bytes() for path in (root / "dists" / first.name).rglob("*") if path.is_file()}
    publish("1.0-2", binaries=("greet.deb", "greet-doc.deb"))
    reader = ArchiveReader.at(root)
    second = reader.existing("trunk")
    assert (second.number, second.parent, [str(each) for each in second.changes]) == (
        2, first.name, ["greet 1.0-1 -> 1.0-2"])  # fmt: skip
    assert suites(root) == sorted(["trunk", first.name, second.name])
    assert listed(root, first.name) == ["greet 1.0-1", "greet-doc 1.0-1"]
    assert listed(root, second.name) == listed(root) == ["greet 1.0-2", "greet-doc 1.0-2"]
    assert reader.lock(second.name) == reader.lock("trunk") == [("greet", "1.0-2"), ("greet-doc", "1.0-2")]
    assert {path: path.read_bytes() for path in frozen} == frozen
    assert_whole(root)


@pytest.mark.integration
def test_files_for_users(publish, lab_factory):
    lab = lab_factory(lab={"archive": {"url": "https://archive.lab.example/lab/"}})
    _, work = publish("1.0-1", lab=lab)
    root = Store.of(work.lab).archive
    state = ArchiveReader.at(root).existing("trunk").name
    for suite in (state, "trunk"):
        source = Deb822((root / f"dists/{suite}/{suite}.sources").read_text())
        assert (source["URIs"], source["Suites"]) == ("https://archive.lab.example/lab", suite)
        assert "BEGIN PGP PUBLIC KEY BLOCK" in source["Signed-By"]
        pin = (root / f"dists/{suite}/{suite}.pref").read_text()
        assert pin == f"Package: *\nPin: release o=testlab,a={suite}\nPin-Priority: 1001\n"
        assert gzip.decompress((root / f"dists/{suite}/packages.lock.gz").read_bytes()) == b"greet=1.0-1\n"
    # The address is another one later: all suites tell the new one.
    publish("1.0-2", lab=lab_factory(lab={"archive": {"url": "https://other.lab.example"}}))
    assert "URIs: https://other.lab.example\n" in (root / f"dists/{state}/{state}.sources").read_text()


@pytest.mark.integration
def test_public_key_verifies_archive(publish, tmp_path):
    _, work = publish("1.0-1")
    root = Store.of(work.lab).archive
    assert_signed(root, tmp_path)
    # GnuPG's agent ends with the step.
    sockets = output(["gpgconf", "--list-dirs", "agent-socket"], env={"GNUPGHOME": str(Store.of(work.lab).gnupg)})
    assert not Path(sockets).exists()


HELD = "held back: {} is unstable: it is not good"


@pytest.mark.parametrize(
    "gate, verdicts, reason",
    [
        (None, {"content": "unstable"}, HELD.format("content")),
        (None, {"lintian": "unstable"}, HELD.format("lintian")),
        (None, {"lintian": "unstable", "content": "unstable"}, HELD.format("lintian")),
        (None, {"content": "skipped"}, ""),
        (["content"], {"lintian": "unstable"}, ""),
        (["lintian"], {"content": "unstable"}, ""),
        ([], {"lintian": "unstable", "content": "unstable"}, ""),
        ([], {"sbuild": "skipped"}, "nothing was built"),
    ],
)
def test_gate_holds_back_unstable_package(lab_factory, bench, gate, verdicts, reason):
    component = {"packaging": {"push": {"git": "/x", "branch": "y"}}, "upload": {"to": "file:///x"}}
    work = bench(lab_factory(component=component | ({} if gate is None else {"build": {"gate": gate}})))
    pretend_built(work)
    handed_over = work.run.results / "parameters.properties"
    handed_over.write_text("VERSION=1.0-0\n")  # by an earlier try
    for name, verdict in verdicts.items():
        before = work.run.record(name)
        before.model_copy(update={"verdict": verdict, "message": "it is not good"}).write(work.run.record_path(name))
    record = work.execute(archive)
    root = Store.of(work.lab).archive
    if not reason:
        assert (record.verdict, record.message, listed(root)) == ("passed", "added", ["greet 1.0-1"])
        return
    assert (record.verdict, record.message, record.facts["added"]) == ("skipped", reason, False)
    assert record.exit_code == (0 if reason == "nothing was built" else 4)
    assert not root.exists()
    assert not handed_over.exists()
    uploaded, pushed = work.execute(upload), work.execute(push)
    assert (uploaded.verdict, uploaded.message) == ("skipped", f"not in the archive: {reason}")
    assert pushed.verdict == "skipped"


@pytest.mark.parametrize("name", ["content", "lintian"])
def test_gate_needs_records_of_checks(lab_factory, bench, name):
    work = bench(lab_factory())
    pretend_built(work)
    work.run.record_path(name).unlink()
    record = work.execute(archive)
    assert (record.verdict, record.exit_code) == ("error", 2)
    assert f"the step {name} comes first and is not run" in record.message


@pytest.mark.parametrize("gate, again", [(["lintian", "content"], "lintian"), (["content", "lintian"], "lintian"),
                                         (["content"], "content")])  # fmt: skip
@pytest.mark.parametrize("repeated", ["source", "sbuild"])
def test_gate_needs_checks_of_these_packages(lab_factory, bench, gate, again, repeated):
    work = bench(lab_factory(component={"build": {"gate": gate}}))
    pretend_built(work)
    checked = StepContext(work.lab, work.run, io.StringIO()).packages
    for name in ("lintian", "content"):
        work.pretend(name, facts={"packages": checked})
    before = work.run.record(repeated)
    other = (before.artifacts[0].model_copy(update={"kind": "binary", "sha256": "f" * 64}), *before.artifacts[1:])
    before.model_copy(update={"artifacts": other}).write(work.run.record_path(repeated))  # --from X --until X
    record = work.execute(archive)
    assert (record.verdict, record.exit_code) == ("error", 2)
    hint = f"qalab run --run {work.run.id} --from {again}"
    assert record.message == f"{again} has checked other packages than these ({hint})"
    assert not Store.of(work.lab).archive.exists()


@pytest.mark.integration
def test_older_version_is_skipped(publish):
    publish("1.0-2")
    record, work = publish("1.0-1", verdict="skipped")
    assert record.message == "trunk has greet 1.0-2 and keeps it"
    state = ArchiveReader.at(Store.of(work.lab).archive).existing("trunk").name
    assert record.facts["archive"] == state
    assert f"\nVERSION=1.0-1\nARCHIVE={state}\n" in (work.run.results / "parameters.properties").read_text()
    assert listed(Store.of(work.lab).archive) == ["greet 1.0-2"]


@pytest.mark.integration
def test_same_version_with_other_content_is_refused(publish):
    publish("1.0-1", text="One")
    record, work = publish("1.0-1", text="Other", verdict="error")
    assert (record.exit_code, "has another greet_1.0-1" in record.message) == (3, True)
    root = Store.of(work.lab).archive
    publish("1.0-2")
    assert_whole(root)
    assert listed(root) == ["greet 1.0-2"]


@pytest.mark.integration
def test_debug_packages_udebs_and_epoch_are_added(publish):
    _, work = publish("2:1.0-1", binaries=("greet.deb", "greet-dbgsym.ddeb", "greet-udeb.udeb"))
    root = Store.of(work.lab).archive
    assert listed(root) == ["greet 2:1.0-1", "greet-dbgsym 2:1.0-1"]
    assert "greet-udeb_1.0-1_all.udeb" in pool(root)
    assert work.execute(archive).facts["added"] is False


@pytest.mark.integration
def test_package_without_section_fails(publish):
    record, _ = publish("1.0-1", drop="Section", verdict="failed")
    assert "No section specified for 'greet_1.0-1.dsc'" in record.message
    assert record.exit_code == 1


def collect(lab, work, days=0):
    """Remove what is old, as many days from now."""
    with (work.run.path / "log").open("w") as log, lab_archive.opened(lab, log) as opened:
        later = environment.now() + timedelta(days=days)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(environment, "now", lambda: later)
            return retention.collect(opened)


@pytest.mark.integration
def test_versions_beyond_the_count_are_removed_with_the_last_state_of_them(publish, lab_factory):
    lab = lab_factory(lab={"archive": {"keep": 2, "states": {"keep": 1}}})
    publish("1.0-1", lab=lab)
    publish("1.0-2", lab=lab)
    record, work = publish("1.1-1", lab=lab)
    root = Store.of(lab).archive
    assert record.message == "added"
    assert collect(lab, work).states == ()  # all of them are new
    assert "greet_1.0-1_all.deb" in pool(root)
    removed = collect(lab, work, days=8)
    assert (len(removed.states), removed.versions) == (2, (("trunk", "greet", "1.0-1"),))
    assert [name for name in pool(root) if name.endswith((".deb", ".orig.tar.gz"))] == [
        "greet_1.0-2_all.deb", "greet_1.0.orig.tar.gz", "greet_1.1-1_all.deb", "greet_1.1.orig.tar.gz"]  # fmt: skip
    assert_whole(root)


@pytest.mark.integration
def test_versions_ignore_settings_of_runs(publish, lab_factory):
    lab = lab_factory(lab={"runs": {"keep": 1, "keep_days": 1}})
    publish("1.0-1", lab=lab)
    record, _ = publish("1.0-2", lab=lab)
    assert record.message == "added"


@pytest.mark.integration
def test_versions_beyond_keep_days_are_removed_with_binaries(publish, lab_factory):
    lab = lab_factory(lab={"archive": {"keep_days": 10}})
    root = Store.of(lab).archive
    publish("1.0-1", lab=lab, binaries=("greet.deb", "greet-extra.deb"))
    publish("1.0-2", lab=lab)
    assert listed(root) == ["greet 1.0-2", "greet-extra 1.0-1"]
    path = versions.record_path(root, "trunk", "greet", "1.0-1")
    old = PoolVersion.read(path)
    old.model_copy(update={"added": rfc3339(environment.now() - timedelta(days=11))}).write(path)
    record, _ = publish("1.0-3", lab=lab)
    assert record.message == "added; removed greet 1.0-1"
    assert listed(root) == ["greet 1.0-3"]
    assert_whole(root)


@pytest.mark.integration
def test_removed_track_keeps_its_packages(publish, lab_factory):
    publish("1.0-1~bookworm1")
    two = lab_factory(lab={"series": {"noble": {"distribution": "ubuntu"}}, "tracks": {"next": {"series": "noble"}}})
    publish("1.0-1~noble1", lab=two, track="next", distribution="noble")
    root = Store.of(two).archive
    assert (listed(root), listed(root, "next")) == (["greet 1.0-1~bookworm1"], ["greet 1.0-1~noble1"])
    publish("1.0-2~bookworm1")  # the track next is gone from lab.yaml
    assert (listed(root), listed(root, "next")) == (["greet 1.0-2~bookworm1"], ["greet 1.0-1~noble1"])
    assert_whole(root)


@pytest.mark.integration
def test_changed_signing_key_signs_archive(publish, lab_factory, tmp_path):
    publish("1.0-1")
    home = tmp_path / "gnupg"
    home.mkdir(mode=0o700)
    env = {"GNUPGHOME": str(home)}
    run(["gpg", "--batch", "--passphrase", "", "--quick-generate-key", "Team <team@lab.example>", "ed25519"], env=env)
    run(["gpgconf", "--kill", "all"], env=env)
    lab = lab_factory(lab={"archive": {"gnupg_home": str(home), "signing_key": "team@lab.example"}})
    publish("1.0-2", lab=lab)
    root = Store.of(lab).archive
    assert_signed(root, tmp_path)
    assert_whole(root)
    run(["gpgconf", "--kill", "all"], env=env)


def test_what_a_killed_change_left_is_no_obstacle(publish):
    _, work = publish("1.0-1")
    root = Store.of(work.lab).archive
    (root / "new/trunk-x/main").mkdir(parents=True)
    (root / "pool/main/g/greet/.greet_1.0-2.dsc.nm21q4f9").write_text("half of it")
    (root / ".htaccess.disabled").write_text("of the web server")
    for name in (".archive-key.asc.mdi4cqyp", ".states.json.0_x4cq9p", "labels/.trunk.json.abcd1234"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text("half of it")
    publish("1.0-2")
    (root / ".htaccess.disabled").unlink()  # it is not the lab's, and was left alone
    assert_whole(root)


def test_state_directory_with_long_path(publish, tmp_path, monkeypatch):
    """The path exceeds the limit for a socket, such as that of GnuPG's agent."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / ("x" * 120)))
    _, work = publish("1.0-1")
    assert_whole(Store.of(work.lab).archive)


@pytest.mark.integration
def test_runnable_alone(publish):
    _, work = publish("1.0-1")
    assert start(archive, work).wait() == 0


@pytest.mark.integration
@pytest.mark.parametrize("apart", [True, False])
def test_a_build_agent_replaces_no_package_of_another_component(publish, lab_factory, *, apart):
    """Its builds run the code of others; a package moves once its own component was built without it."""
    source = {"git": "/nowhere"}
    more = {"components": {name: {"upstream": source, "packaging": source} for name in ("greet", "hail")}}
    root = Store.of(lab_factory(lab=more)).archive
    root.mkdir(parents=True)
    both = ("greet.deb", "hail.deb")
    with served(root) as url:
        if apart:
            agents = {f"{role}_agent": role for role in ("build", "deploy", "archive", "lab")}
            more |= {"jenkins": {"url": url, **agents}, "archive": {"url": url}}
        lab = lab_factory(lab=more)
        publish("1.0-1", lab=lab, component="hail", name="hail", binaries=("hail.deb",))
        record, _ = publish("2.0-1", lab=lab, binaries=both, verdict="error" if apart else "passed")
        if not apart:
            assert listed(root, "trunk") == ["greet 2.0-1", "hail 2.0-1"]
            return
        assert record.message.startswith("hail is a package of the component hail 1.0-1 (")
        assert listed(root, "trunk") == ["hail 1.0-1"]
        publish("1.1-1", lab=lab, component="hail", name="hail", binaries=("other.deb",), described="other")
        publish("2.0-1", lab=lab, binaries=both)
        assert listed(root, "trunk") == ["greet 2.0-1", "hail 2.0-1", "other 1.1-1"]


@pytest.mark.integration
def test_change_under_review_has_a_state_of_its_own(lab_factory, bench):
    """Neither the label of the track nor another change sees its packages; those of ``onto`` are below them."""
    review = {"series": "bookworm", "trigger": "review", "branch": "main", "onto": "trunk-tested"}
    more = {"tracks": {"review": review}, "reviews": {"hub": {"forge": "github"}}}
    lab = lab_factory(
        upstream="https://github.com/a/greet",
        component={"tracks": {"trunk": {"upstream": {"git": "/nowhere/upstream"}}}},
        lab=more,
    )
    released = bench(lab)
    pretend_built(released, "1.0-1", binaries=("greet.deb", "greet-doc.deb"))
    below = released.execute(archive).facts["archive"]
    states = {}
    for number, version in ((7, "1.1-1"), (8, "1.2-1")):
        work = bench(lab, track="review")
        one = ProposalId(
            forge="hub", project="a/greet", number=number, head="7" * 40, ref=f"refs/pull/{number}/head", branch="main"
        )
        work.run.write_info(work.run.info.model_copy(update={"proposal": one, "onto": below, "base": "b" * 40}))
        pretend_built(work, version)
        record = work.execute(archive)
        assert record.verdict == "passed", work.log("archive")
        states[number] = record.facts["archive"]
        parameters = (work.run.results / "parameters.properties").read_text()
        assert f"ARCHIVE={states[number]}\n" in parameters
        assert f'"number":{number}' in parameters
    root = Store.of(lab).archive
    assert listed(root, states[7]) == ["greet 1.1-1", "greet-doc 1.0-1"]
    assert listed(root, states[8]) == ["greet 1.2-1", "greet-doc 1.0-1"]
    assert ArchiveReader.at(root).state("review") is None
    assert listed(root, "trunk") == ["greet 1.0-1", "greet-doc 1.0-1"]
    assert_whole(root)
    with (root.parent / "log").open("w") as log, lab_archive.opened(lab, log) as opened:
        retention.collect(opened)
        assert listed(root, states[7]) == ["greet 1.1-1", "greet-doc 1.0-1"]
    assert package_source.for_track(lab, "review", "greet", None, states[8]).state == states[8]
    other = released.run.path.parents[3] / "foreign"  # such as the files of a run that an agent hands over
    shutil.copytree(root / "dists" / below, other)
    away = f"{'../' * 30}{str(other).lstrip('/')}"
    for onto in ("", "review", "trunk", "gone", away, f"{below}/../{below}", f"./{below}"):
        work = bench(lab, track="review")
        work.run.write_info(work.run.info.model_copy(update={"proposal": one, "onto": onto, "base": "b" * 40}))
        pretend_built(work, "1.3-1")
        record = work.execute(archive)
        assert record.verdict == "error"
        assert f"onto: {onto!r} is no state of review or trunk-tested" in record.message
