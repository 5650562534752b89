// A click on a head sorts by its column, a second one the other way round. Cells without a figure come last.
for (const button of document.querySelectorAll("thead button")) {
  button.addEventListener("click", () => {
    const head = button.closest("th"), body = head.closest("table").tBodies[0];
    const falling = head.getAttribute("aria-sort") === "ascending";
    for (const other of head.parentNode.children) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", falling ? "descending" : "ascending");
    const key = (row) => {
      const cell = row.cells[head.cellIndex], figure = cell.querySelector("data");
      return figure ? Number(figure.value) : head.classList.contains("n") ? NaN : cell.textContent;
    };
    const compare = (a, b) => typeof a === "string" ? a.localeCompare(b) : a - b;
    const rows = [...body.rows].map((row) => [key(row), row]);
    rows.sort(([a], [b]) => Number.isNaN(a) - Number.isNaN(b) || (falling ? compare(b, a) : compare(a, b)));
    body.append(...rows.map(([, row]) => row));
  });
}

// What is folded opens where a link leads into it, and is printed whole.
function reveal() {
  const target = location.hash && document.getElementById(location.hash.slice(1));
  if (!target) return;
  const own = target.querySelector(":scope > details");
  for (let it = own ?? target; it; it = it.parentElement) if (it.tagName === "DETAILS") it.open = true;
  target.scrollIntoView();
}
addEventListener("hashchange", reveal);
reveal();

let opened = [];
addEventListener("beforeprint", () => {
  opened = [...document.querySelectorAll("details:not([open])")];
  for (const it of opened) it.open = true;
});
addEventListener("afterprint", () => {
  for (const it of opened) it.open = false;
});
