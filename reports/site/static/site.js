// Filter the entries of the search page by the typed words.  Without JavaScript the page is an index.
// Also say how old the newest build is: the server's pages do not know the time.
"use strict";
for (const time of document.querySelectorAll("time[data-age]")) {
  const hours = (Date.now() - Date.parse(time.dateTime)) / 3600000;
  if (hours >= 0) {
    const age = document.createElement("span");
    const old = hours >= 24;
    age.className = old ? "pill warn" : "soft";
    const ago = (count, unit) => new Intl.RelativeTimeFormat("en").format(-Math.floor(count), unit);
    age.textContent = old ? `${ago(hours / 24, "day")}: stale` : hours < 1 ? "less than an hour ago" : ago(hours, "hour");
    time.after(" ", age);
  }
}
const box = document.querySelector(".filter");
if (box) {
  const input = box.querySelector("input");
  const count = document.querySelector("#found");
  const lists = document.querySelectorAll("[data-find]");
  const entries = [...document.querySelectorAll("[data-find] > li")].map((entry) => [entry, entry.textContent.toLowerCase()]);
  const show = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let found = 0;
    for (const [entry, text] of entries) {
      entry.hidden = !words.every((word) => text.includes(word));
      found += !entry.hidden;
    }
    for (const list of lists) list.hidden = list.previousElementSibling.hidden = ![...list.children].some((entry) => !entry.hidden);
    count.textContent = words.length ? `${found} ${found === 1 ? "name" : "names"} found` : "";
    history.replaceState(null, "", words.length ? `?q=${encodeURIComponent(input.value)}` : location.pathname);
  };
  box.hidden = false;
  input.value = new URLSearchParams(location.search).get("q") || "";
  input.addEventListener("input", show);
  if (input.value) show();
}
