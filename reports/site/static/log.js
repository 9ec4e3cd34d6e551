// A click on the number of a line gives the address of the line.  Its anchor works without JavaScript, too.
"use strict";
document.addEventListener("click", (event) => {
  const line = event.target;
  if (!line.matches(".log > li")) return;
  const indent = Number.parseFloat(getComputedStyle(line).paddingLeft);
  if (event.clientX < line.getBoundingClientRect().left + indent) location.hash = line.id;
});
