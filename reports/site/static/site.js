// Filter the entries of the search page by the typed words.  Without JavaScript the page is an index.
"use strict";
const box = document.querySelector(".filter");
if (box) {
  const input = box.querySelector("input");
  const count = document.querySelector("#found");
  const entries = [...document.querySelectorAll("[data-find] > li")].map((entry) => [entry, entry.textContent.toLowerCase()]);
  const show = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let found = 0;
    for (const [entry, text] of entries) {
      entry.hidden = !words.every((word) => text.includes(word));
      found += !entry.hidden;
    }
    count.textContent = words.length ? `${found} found` : "";
    history.replaceState(null, "", words.length ? `?q=${encodeURIComponent(input.value)}` : location.pathname);
  };
  box.hidden = false;
  input.value = new URLSearchParams(location.search).get("q") || "";
  input.addEventListener("input", show);
  if (input.value) show();
}
