"use strict";
{
  const PAGE = 100;
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const rows = read("rows");
  const { places, fates } = read("words");
  const table = document.getElementById("table");
  const form = table.querySelector("form");
  const body = document.getElementById("body");
  const columns = [
    ["Number", (row) => row[0]],
    ["Account", (row) => places[row[1]][0]],
    ["Target", (row) => places[row[1]][1]],
    ["Outcome", (row) => fates[row[2]][0]],
    ["Known by", (row) => fates[row[2]][1]],
    ["Why", (row) => fates[row[2]][2]],
    ["Attempts", (row) => row[3]],
    ["Finished (UTC)", (row) => (row[4] || "").replace("T", " ").replace("Z", "")],
  ];
  if (rows.length && rows[0].length > 5) columns.push(["Without a place, ms", (row) => row[5] ?? ""]);
  let shown = rows;
  let first = 0;
  let sorted = { column: -1, down: false };

  const element = (tag, text, parent, fields = {}) => {
    const made = Object.assign(document.createElement(tag), { textContent: text }, fields);
    parent.append(made);
    return made;
  };

  const draw = () => {
    body.replaceChildren();
    for (const row of shown.slice(first, first + PAGE)) {
      const line = element("tr", "", body, { className: fates[row[2]][0] });
      for (const [, value] of columns) element("td", value(row), line);
    }
    const last = Math.min(first + PAGE, shown.length);
    const count = shown.length.toLocaleString("en");
    document.getElementById("found").textContent = shown.length
      ? `${(first + 1).toLocaleString("en")} to ${last.toLocaleString("en")} of ${count}`
      : "No number fits.";
    for (const button of table.querySelectorAll("nav button")) {
      button.disabled = ["first", "previous"].includes(button.value) ? first === 0 : last === shown.length;
    }
  };

  const choose = () => {
    const [text, outcome, account] = ["text", "outcome", "account"].map((name) => form.elements[name].value);
    const wanted = text.trim().toLowerCase();
    const has = (value) => value.toLowerCase().includes(wanted);
    const fits = places.map((place) => !account || place[0] === account);
    const ends = fates.map((fate) => !outcome || fate[0] === outcome);
    const named = places.map((place) => place.some(has));
    const said = fates.map((fate) => fate.some(has));
    shown = rows.filter((row) => fits[row[1]] && ends[row[2]] && (named[row[1]] || said[row[2]] || row[0].includes(wanted)));
    if (sorted.column >= 0) {
      const value = columns[sorted.column][1];
      const sign = sorted.down ? -1 : 1;
      const keyed = shown.map((row) => [value(row), row]);
      keyed.sort(([one], [other]) => (one < other ? -sign : one > other ? sign : 0));
      shown = keyed.map(([, row]) => row);
    }
    first = 0;
    draw();
  };

  const sort = (column) => {
    sorted = { column, down: sorted.column === column && !sorted.down };
    document.querySelectorAll("#heads th").forEach((head, index) => {
      head.ariaSort = index !== column ? "none" : sorted.down ? "descending" : "ascending";
    });
    choose();
  };

  const turn = ({ value }) => {
    const end = Math.floor((shown.length - 1) / PAGE) * PAGE;
    first = { first: 0, previous: first - PAGE, next: first + PAGE, last: end }[value];
    draw();
  };

  columns.forEach(([name], column) => {
    const head = element("th", "", document.getElementById("heads"), { scope: "col", ariaSort: "none" });
    element("button", name, head, { type: "button", onclick: () => sort(column) });
  });
  for (const [name, list, at] of [["outcome", fates, 0], ["account", places, 0]]) {
    for (const value of new Set(list.map((each) => each[at]))) element("option", value, form.elements[name], { value });
  }
  form.elements.text.addEventListener("input", choose);
  for (const name of ["outcome", "account"]) form.elements[name].addEventListener("change", choose);
  form.addEventListener("submit", (event) => event.preventDefault());
  for (const button of table.querySelectorAll("nav button")) button.addEventListener("click", () => turn(button));
  table.hidden = false;
  draw();
}
