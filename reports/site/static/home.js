// Filter the home page by component, track, state and author; the filters are in the address, for bookmarks.
// Without JavaScript everything is shown.
"use strict";
(() => {
  const bar = document.querySelector(".filters");
  if (!bar) return;
  const fields = [...bar.querySelectorAll("input, select")];
  const rows = [...document.querySelectorAll("[data-component]")];
  const matrix = document.querySelector(".matrix");
  const count = bar.querySelector("output");
  const has = (text, wanted) => text.toLowerCase().includes(wanted);
  const listed = (row, name) => (row.dataset[name] || "").split("|");
  const matches = (row, wanted) => {
    const { component, track, state, author } = wanted;
    if (!has(row.dataset.component, component)) return false;
    if (row.dataset.cells !== undefined) {
      // Of a row of the matrix, the state counts on the chosen track.
      return listed(row, "cells").some((cell, place) => cell && (!track || listed(row, "tracks")[place] === track) && (!state || cell === state));
    }
    if (track && !listed(row, "tracks").includes(track)) return false;
    if (row.dataset.state !== undefined && state && !listed(row, "state").includes(state)) return false;
    return row.dataset.author === undefined || has(row.dataset.author, author);
  };
  const show = () => {
    const wanted = Object.fromEntries(fields.map((field) => [field.name, field.tagName === "SELECT" ? field.value : field.value.trim().toLowerCase()]));
    for (const row of rows) row.hidden = !matches(row, wanted);
    if (matrix) {
      for (const row of matrix.rows) {
        for (const cell of [...row.cells].slice(1)) cell.hidden = Boolean(wanted.track) && cell.dataset.track !== wanted.track;
      }
    }
    const all = rows.filter((row) => row.dataset.author !== undefined);
    const active = fields.filter((field) => field.value.trim());
    count.textContent = active.length ? `${all.filter((row) => !row.hidden).length} of ${all.length} breakages on this page` : "";
    const query = new URLSearchParams(active.map((field) => [field.name, field.value.trim()]));
    history.replaceState(null, "", active.length ? `?${query}` : location.pathname);
  };
  const query = new URLSearchParams(location.search);
  for (const field of fields) {
    field.value = query.get(field.name) || "";
    if (field.tagName === "SELECT" && field.selectedIndex < 0) field.value = "";
    field.addEventListener("input", show);
  }
  bar.hidden = false;
  show();
})();
