// Open the omitted lines of a log on the page: those that a click asks for, and those around the line of the address.
// A click on the number of a line gives the address of the line.  Without JavaScript, the text file has all lines.
"use strict";
const AT_ONCE = 2000;
const AROUND = 200;
const texts = new Map();
const read = async (file) => {
  const answer = await fetch(file);
  if (!answer.ok) throw new Error(`${answer.status}`);
  let body = await answer.blob();
  const [first, second] = new Uint8Array(await body.slice(0, 2).arrayBuffer());
  // Without "Content-Encoding: gzip", the browser does not unpack the file.
  if (first === 0x1f && second === 0x8b) body = await new Response(body.stream().pipeThrough(new DecompressionStream("gzip"))).blob();
  return (await body.text()).split("\n");
};
const text = (file) => {
  if (!texts.has(file)) texts.set(file, read(file));
  return texts.get(file);
};
const range = (gap) => [Number(gap.dataset.first), Number(gap.dataset.last)];
const rest = (gap, first, last) => {
  if (first > last) return [];
  const left = gap.cloneNode(true);
  Object.assign(left.dataset, { first, last });
  left.querySelector("button")?.remove();
  left.firstChild.data = `${last - first + 1} ${first === last ? "line" : "lines"} left out: `;
  offer(left);
  return [left];
};
const open = async (gap, from, to) => {
  const [first, last] = range(gap);
  const { anchor, file } = gap.dataset;
  const lines = await text(file);
  const list = document.createElement("ol");
  list.className = "log";
  list.start = from;
  for (let number = from; number <= to; number += 1) {
    const line = document.createElement("li");
    line.id = `${anchor}-${number}`;
    line.textContent = lines[number - 1];
    list.append(line);
  }
  gap.replaceWith(...rest(gap, first, from - 1), list, ...rest(gap, to + 1, last));
  return list;
};
const offer = (gap) => {
  const [first, last] = range(gap);
  const button = document.createElement("button");
  const end = Math.min(last, first + AT_ONCE - 1);
  button.type = "button";
  button.textContent = `show lines ${first} to ${end} here`;
  button.addEventListener("click", async () => {
    try {
      const list = await open(gap, first, end);
      list.tabIndex = -1;
      list.focus();
    } catch (error) {
      button.replaceWith(` (they cannot be read: ${error.message})`);
    }
  });
  gap.append(" ", button);
};
const follow = async () => {
  const [id, anchor, digits] = /^(.+)-(\d+)$/.exec(decodeURIComponent(location.hash.slice(1))) || [];
  if (!id || document.getElementById(id)) return;
  const number = Number(digits);
  for (const gap of document.querySelectorAll(".gap")) {
    const [first, last] = range(gap);
    if (gap.dataset.anchor === anchor && first <= number && number <= last) {
      await open(gap, Math.max(first, number - AROUND), Math.min(last, number + AROUND));
      location.replace(location.hash); // the line is the target now
    }
  }
};
for (const gap of document.querySelectorAll(".gap")) offer(gap);
follow().catch(() => {}); // the gap has the link to the text
addEventListener("hashchange", () => follow().catch(() => {}));
document.addEventListener("click", (event) => {
  const line = event.target;
  if (!line.matches(".log > li")) return;
  const indent = Number.parseFloat(getComputedStyle(line).paddingLeft);
  if (event.clientX < line.getBoundingClientRect().left + indent) location.hash = line.id;
});
