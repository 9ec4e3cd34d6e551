// Compare any two builds: compare/?a=BUILD&b=BUILD reads their data below api/v1/b/.  With ?b= alone, list the builds
// of its track to choose from.  Without JavaScript the page lists the tracks.
"use strict";
(async () => {
  const place = document.querySelector("#comparison");
  const root = document.querySelector(".brand").getAttribute("href");
  const query = new URLSearchParams(location.search);
  const [a, b] = ["a", "b"].map((name) => query.get(name) || "");
  const put = (parent, name, text = "", attributes = {}) => {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.textContent = text;
    parent.append(element);
    return element;
  };
  const read = async (path) => {
    const answer = await fetch(`${root}api/v1/${path}.json`);
    if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
    return answer.json();
  };
  const build = (id) => {
    if (!/^[\w~.+-]+$/.test(id)) throw new Error("not a build");
    return read(`b/${id.slice(0, 2)}/${id}`);
  };
  const name = (one) => `${one.component} on ${one.track}, ${one.phase} ${one.number}`;
  const list = (title, items) => {
    if (!items.length) return;
    put(place, "h2", title);
    const rows = put(place, "ul", "", { class: "plain small" });
    for (const item of items) put(rows, "li", item);
  };
  const failing = (one) => new Map(one.cases.filter((it) => ["failed", "error"].includes(it.outcome) && !["rerun", "testbed"].includes(it.nuance)).map((it) => [it.id, it.message]));
  const table = (title, heads, rows) => {
    if (!rows.length) return;
    put(place, "h2", title);
    const section = put(place, "section", "", { class: "wide", tabindex: "0", "aria-label": title });
    const made = put(section, "table");
    const head = put(put(made, "thead"), "tr");
    for (const word of heads) put(head, "th", word, { scope: "col" });
    const body = put(made, "tbody");
    for (const [first, ...rest] of rows) {
      const row = put(body, "tr");
      put(row, "th", first, { scope: "row" });
      for (const word of rest) put(row, "td", word);
    }
  };
  const both = (before, after) => [...new Set([...before.keys(), ...after.keys()])];
  const compare = (...pair) => {
    const [one, other] = pair.sort((left, right) => (left.started < right.started ? -1 : 1));
    for (const it of [one, other]) {
      const line = put(place, "p", it === one ? "Before: " : "After: ");
      put(line, "a", name(it), { href: root + it.path });
      line.append(`: ${it.verdict}, ${it.started.slice(0, 16).replace("T", " ")}${it.version ? `, ${it.version}` : ""}`);
    }
    const [before, after] = [failing(one), failing(other)];
    const said = (test, message) => (message ? `${test}: ${message}` : test);
    // Where no test ran, none passed.
    const but = (it, when) => (Object.keys(it.counts).length ? `, not ${when}` : `; no test ran ${when}`);
    list(`Failing after${but(one, "before")}`, [...after].filter(([test]) => !before.has(test)).map(([test, why]) => said(test, why)));
    list(`Failing before${but(other, "after")}`, [...before].filter(([test]) => !after.has(test)).map(([test, why]) => said(test, why)));
    const [old, now] = [new Map(Object.entries(one.packages)), new Map(Object.entries(other.packages))];
    const changed = both(old, now).filter((it) => old.get(it) !== now.get(it)).sort();
    table("Packages", ["Package", "Before", "After"], changed.map((it) => [it, old.get(it) || "none", now.get(it) || "none"]));
    const steps = [one, other].map((it) => new Map(it.steps.map((step) => [step.step, `${step.verdict}, ${step.seconds} s`])));
    table("Steps", ["Step", "Before", "After"], both(...steps).map((it) => [it, steps[0].get(it) || "", steps[1].get(it) || ""]));
    const known = new Set(one.commits.map((it) => it.id));
    list("Commits of the later build, without those of builds in between", other.commits.filter((it) => !known.has(it.id)).map((it) => `${it.id.slice(0, 10)} ${it.subject}`));
  };
  const choose = async (one) => {
    put(place, "p", `Compare ${name(one)} with:`);
    const track = await read(one.lane_path.replace(/\/$/, ""));
    const rows = put(place, "ul", "", { class: "plain small" });
    for (const month of track.months.slice(0, 3)) {
      const { builds } = await read(`${one.lane_path}${month}`);
      for (const it of builds.filter((it) => it.phase === one.phase && it.id !== one.id)) {
        const early = it.started < one.started;
        const pair = new URLSearchParams({ a: early ? it.id : one.id, b: early ? one.id : it.id });
        put(put(rows, "li"), "a", `${it.phase} ${it.number}: ${it.verdict}, ${it.started.slice(0, 16).replace("T", " ")}`, { href: `?${pair}` });
      }
    }
    put(place, "p", "These are the builds of the newest three months.", { class: "soft" });
  };
  try {
    if (a && b) compare(...(await Promise.all([build(a), build(b)])));
    else if (a || b) await choose(await build(a || b));
  } catch (error) {
    put(place, "p", `The builds cannot be read: ${error.message}. A browser does not read them from files, only from a server.`, { class: "bad" });
  }
})();
