"""How the page looks and behaves: its style sheet and its script, both inside the page."""

CSS = """
:root { color-scheme: light dark; --ink: #1b1f24; --muted: #5c6570; --paper: #ffffff; --line: #d5dae0;
  --stripe: #f4f6f8; --link: #0b5cad; --warn: #8a4b00; --warn-paper: #fff4e0; }
@media (prefers-color-scheme: dark) { :root { --ink: #e7eaee; --muted: #a0a9b4; --paper: #14181d;
  --line: #343c46; --stripe: #1b2128; --link: #7db8f5; --warn: #ffc978; --warn-paper: #33260f; } }
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
body > * { max-width: 68rem; margin-inline: auto; padding-inline: 1rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 2rem 0 0.3rem; }
h2 { font-size: 1.3rem; margin: 3rem 0 0.5rem; padding-top: 0.6rem; border-top: 1px solid var(--line); }
h3 { font-size: 1.05rem; margin: 1.6rem 0 0.4rem; }
p, ul { max-width: 46rem; }
a { color: var(--link); }
code { font-size: 0.9em; overflow-wrap: anywhere; }
.about, figcaption, small, caption { color: var(--muted); }
.banner { border: 1px solid var(--warn); border-left-width: 0.5rem; background: var(--warn-paper);
  color: var(--warn); padding: 0.7rem 1rem; margin: 1rem 0; max-width: 54rem; }
.answer { font-size: 1.15rem; line-height: 1.5; max-width: 54rem; }
.notes { font-size: 0.88rem; }
nav ul { list-style: none; padding: 0; margin: 1.2rem 0 0; display: flex; flex-wrap: wrap;
  gap: 0.3rem 1.2rem; max-width: none; }
.pair { display: grid; gap: 0 2rem;
  grid-template-columns: repeat(auto-fit, minmax(max(min(19rem, 100%), 40%), 1fr)); }
figure { margin: 1rem 0; min-width: 0; break-inside: avoid; }
figure svg { display: block; width: 100%; height: auto; }
figure.wide { overflow-x: auto; }
figure.wide svg { min-width: 38rem; max-width: 56rem; }
figcaption { font-size: 0.88rem; margin-top: 0.3rem; max-width: 46rem; }
.flip img { width: 10rem; max-width: 45%; image-rendering: pixelated; margin-right: 0.6rem; }
.table { overflow-x: auto; margin: 1rem 0 1.4rem; }
table { border-collapse: collapse; font-size: 0.88rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding-bottom: 0.3rem; }
caption span { display: block; position: sticky; left: 0; max-width: min(46rem, calc(100vw - 2rem)); }
th, td { padding: 0.25rem 0.6rem; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--line); }
td, .name { white-space: nowrap; }
thead th { vertical-align: bottom; border-bottom: 2px solid var(--line); }
tbody th { font-weight: 600; position: sticky; left: 0; background: var(--paper); }
@media (min-width: 40rem) { tbody th:not(:has(.name)) { white-space: nowrap; } }
tbody tr:hover > * { background: var(--stripe); }
th.n, td.n { text-align: right; }
th .path { display: block; max-width: 9rem; font-weight: 400; white-space: normal;
  overflow-wrap: anywhere; }
td small { display: block; font-size: 0.82em; white-space: nowrap; }
th button { font: inherit; font-weight: 600; color: inherit; background: none; border: 0; padding: 0;
  text-align: inherit; cursor: pointer; }
th button:hover { text-decoration: underline; }
th[aria-sort="ascending"] button::after { content: " \\25B4"; }
th[aria-sort="descending"] button::after { content: " \\25BE"; }
details { margin: 1rem 0; }
summary { cursor: pointer; }
footer { color: var(--muted); font-size: 0.85rem; margin-block: 3rem 2rem; }
@media print {
  :root { color-scheme: light; --ink: #000; --muted: #444; --paper: #fff; --line: #bbb; --stripe: #fff;
    --link: #000; --warn: #000; --warn-paper: #fff; }
  body { font-size: 10pt; }
  body > * { max-width: none; padding: 0; }
  nav { display: none; }
  h2, h3, caption { break-after: avoid; }
  tr { break-inside: avoid; }
  table { font-size: 7pt; }
  th, td { padding: 1pt 3pt; }
  .table, figure.wide { overflow: visible; }
  figure.wide svg { min-width: 0; }
}
"""

# A click on a head sorts by its column, a second one the other way round. Cells without a figure come last.
JS = """
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
"""
