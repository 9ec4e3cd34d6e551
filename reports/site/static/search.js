// Search the commits, authors and messages of the index, which has one script for each component on each track.
// The scripts are loaded when somebody types.  Without JavaScript the page is an index of pages.
"use strict";
(() => {
  const SHOWN = 200;
  const AT_ONCE = 8;
  const input = document.querySelector(".filter input");
  const matches = document.querySelector("#matches");
  const covered = document.querySelector("#covered");
  const root = document.querySelector(".brand").getAttribute("href");
  const waiting = [...document.querySelectorAll("a[data-shard]")].map((link) => `${link.getAttribute("href")}search.js`);
  const all = waiting.length;
  const entries = [];
  let [ended, failed, since, builds, cut, planned] = [0, 0, "", 0, 0, 0];
  globalThis.qalabShard = (shard) => {
    for (const [kind, text, author, day, path] of shard.entries) {
      const where = `${shard.component} on ${shard.track}`;
      entries.push({ kind, text, author, day, path, where, words: `${text} ${author} ${where}`.toLowerCase() });
    }
    if (!since || shard.since < since) since = shard.since;
    builds += shard.builds;
    cut += shard.cut;
  };
  const load = () => {
    const address = waiting.shift();
    if (!address) return;
    const script = document.createElement("script");
    const over = () => {
      ended += 1;
      load();
      plan();
    };
    script.addEventListener("load", over);
    script.addEventListener("error", () => {
      failed += 1;
      over();
    });
    script.src = address;
    document.head.append(script);
  };
  const item = (one) => {
    const row = document.createElement("li");
    const link = document.createElement("a");
    link.href = root + one.path;
    link.textContent = one.text;
    link.dir = "auto";
    const rest = document.createElement("span");
    rest.className = "soft";
    rest.textContent = ` ${one.author ? `${one.author}, ` : ""}${one.where}, ${one.day}`;
    row.append(link, rest);
    return row;
  };
  const show = () => {
    planned = 0;
    // The index has twelve characters of a commit.
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean).map((word) => (/^[0-9a-f]{13,}$/.test(word) ? word.slice(0, 12) : word));
    const found = words.length ? entries.filter((one) => words.every((word) => one.words.includes(word))) : [];
    found.sort((one, other) => (one.day < other.day ? 1 : one.day > other.day ? -1 : 0));
    matches.replaceChildren(...found.slice(0, SHOWN).map(item));
    const loading = ended < all ? `${ended} of ${all} indexes loaded. ` : "";
    const missing = failed ? `${failed} of ${all} indexes cannot be read. ` : "";
    const range = since ? `Searched: the newest builds of each component and track, ${builds} in all, since ${since}${cut ? "; the oldest texts of some are left out" : ""}.` : "";
    const count = words.length ? `${found.length} found${found.length > SHOWN ? `, the newest ${SHOWN} shown` : ""}. ` : "";
    document.querySelector("#index").hidden = !words.length;
    covered.textContent = words.length ? `${count}${loading}${missing}${range}` : "";
  };
  const plan = () => {
    if (!planned) planned = setTimeout(show, 50);
  };
  let begun = false;
  const begin = () => {
    if (!begun && input.value.trim()) {
      begun = true;
      for (let turn = 0; turn < AT_ONCE; turn += 1) load();
    }
    plan();
  };
  input.addEventListener("input", begin);
  begin();
})();
