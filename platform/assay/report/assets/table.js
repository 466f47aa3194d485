// Sorting and filtering of leaderboards. Seeds stay below their mean; the reference row is outside the body.

for (const table of document.querySelectorAll("table.board")) {
  const status = document.getElementById(`${table.id}-status`);
  for (const button of table.tHead.querySelectorAll("button")) {
    button.addEventListener("click", () => {
      const head = button.closest("th");
      const opposite = { ascending: "descending", descending: "ascending" };
      const direction = opposite[head.getAttribute("aria-sort")] ?? button.dataset.first;
      for (const other of table.tHead.querySelectorAll("[aria-sort]")) {
        other.removeAttribute("aria-sort");
      }
      head.setAttribute("aria-sort", direction);
      sortRows(table.tBodies[0], Number(button.dataset.column), direction);
      status.textContent = `Sorted by ${button.innerText.trim()}, ${direction}`;
    });
  }
}

for (const box of document.querySelectorAll("input.seeds")) {
  const show = () => {
    document.getElementById(box.dataset.table).classList.toggle("means-only", !box.checked);
  };
  box.addEventListener("change", show);
  show();
}

for (const table of document.querySelectorAll("table.board")) {
  const controls = [...document.querySelectorAll(`[data-filters="${table.id}"]`)];
  const filter = () => {
    const rows = [...table.tBodies[0].rows];
    for (const row of rows) row.hidden = !controls.every((control) => fits(row, control));
    const shown = rows.filter((row) => !row.hidden).length;
    document.getElementById(`${table.id}-count`).value = `${shown} of ${rows.length} rows`;
  };
  for (const control of controls) control.addEventListener("input", filter);
  if (controls.length) filter();
}

function fits(row, control) {
  const found = row.dataset[control.dataset.by] ?? "";
  if (control.dataset.by !== "label") return !control.value || found === control.value;
  const words = control.value.toLowerCase().split(/\s+/);
  return words.every((word) => found.toLowerCase().replaceAll("_", " ").includes(word)
    || found.toLowerCase().includes(word));
}

// A click on a number leads to where it comes from, as the name of its row does.
for (const table of document.querySelectorAll("table.board")) {
  table.addEventListener("click", (event) => {
    const link = event.target.closest("td.m")?.parentElement.querySelector("a[href]");
    if (link && !event.target.closest("a")) location.hash = link.hash;
  });
}

function sortRows(body, column, direction) {
  const groups = new Map();
  for (const row of body.rows) {
    const group = groups.get(row.dataset.group) ?? [];
    groups.set(row.dataset.group, [...group, row]);
  }
  const compare = (a, b) => compareCells(a.cells[column], b.cells[column], direction);
  const sorted = [...groups.values()].map((rows) => {
    const means = rows.filter((row) => row.classList.contains("mean"));
    const cells = rows.filter((row) => !row.classList.contains("mean")).sort(compare);
    return [...means, ...cells];
  });
  sorted.sort((a, b) => compare(a[0], b[0]));
  body.append(...sorted.flat());
}

function compareCells(a, b, direction) {
  const [x, y] = [a.dataset.v, b.dataset.v];
  if (x === "" || y === "") return (x === "") - (y === ""); // what is not measured comes last
  const numeric = Number.isFinite(Number(x)) && Number.isFinite(Number(y));
  const order = numeric ? Number(x) - Number(y) : x.localeCompare(y);
  return direction === "ascending" ? order : -order;
}

for (const command of document.querySelectorAll("pre.command")) {
  if (!navigator.clipboard) break;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(command.textContent);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
  command.before(button);
}

