"use strict";
// A table with a line a sample: filters, a search, sorting by any column, some lines at a time.

const LINES = 25, ADDED = 100;  // lines that the table shows at first, and adds

// columns: {title, of: i => what to sort by, words: i => text or element, left}. filters: {label, options: {name: i =>
// whether it fits}}. count: samples. says: i => the text to search in. open: i => what a click on a line shows below it.
function samples(box, {columns, filters, count, says, open}) {
  const bar = make("div", "bar"), found = make("span", "", ""), table = make("table"), more = button("", () => add(ADDED));
  const search = make("input"), chosen = filters.map(filter => {
    const select = make("select", "", "", ...Object.keys(filter.options).map(name => make("option", "", name)));
    select.setAttribute("aria-label", filter.label);
    select.addEventListener("change", match);
    return select;
  });
  search.type = "search";
  search.placeholder = "Search texts";
  search.setAttribute("aria-label", "Search the texts of all samples");
  found.setAttribute("role", "status");
  let waiting = 0, sortedBy = -1, descending = true, order = [], listed = 0;
  search.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(match, 200); });
  const body = make("tbody"), head = make("tr");
  table.append(make("thead", "", "", head), body);
  bar.append(search, ...chosen, found);
  box.replaceChildren(bar, make("div", "wide", "", table), more);

  function heads() {
    head.replaceChildren(...columns.map((column, i) => {
      const cell = make("th", column.left ? "left" : "", "", button(column.title, () => {
        descending = i === sortedBy ? !descending : !column.left;
        sortedBy = i;
        match();
        head.querySelectorAll("button")[i].focus();
      }));
      if (i === sortedBy) cell.setAttribute("aria-sort", descending ? "descending" : "ascending");
      return cell;
    }));
  }

  function match() {
    const query = search.value.trim().toLowerCase(), fits = filters.map((f, i) => f.options[chosen[i].value]);
    order = [];
    for (let i = 0; i < count; i++) if (fits.every(f => f(i)) && (!query || says(i).toLowerCase().includes(query))) order.push(i);
    if (sortedBy >= 0) {
      const key = columns[sortedBy].of, sign = descending ? -1 : 1;
      order.sort((a, b) => {
        const x = key(a), y = key(b);
        if (x === null || y === null) return (x === null) - (y === null) || a - b;  // what has none stands last
        return sign * (x < y ? -1 : x > y ? 1 : 0) || a - b;
      });
    }
    listed = 0;
    body.replaceChildren();
    heads();
    add(LINES);
    found.textContent = order.length === count ? counted(count, "sample") : `${grouped(order.length)} of ${counted(count, "sample")}`;
  }

  function add(lines) {
    body.append(...order.slice(listed, listed + lines).map(line));
    listed = Math.min(order.length, listed + lines);
    more.hidden = listed === order.length;
    more.textContent = `Show ${grouped(Math.min(ADDED, order.length - listed))} more of ${grouped(order.length - listed)}`;
  }

  function line(i) {
    const row = make("tr", "sample-line", "", ...columns.map(column => {
      const words = column.words(i), cell = make("td", column.left ? "left" : "", typeof words === "string" ? words : "");
      if (typeof words !== "string") cell.append(words); else if (column.left) cell.title = visible(words);
      return cell;
    }));
    row.tabIndex = 0;
    row.dataset.sample = i;
    const turn = () => {
      const below = row.nextSibling;
      if (below?.classList.contains("below")) { below.remove(); row.setAttribute("aria-expanded", false); return; }
      const cell = make("td", "", "", open(i));
      cell.colSpan = columns.length;
      row.after(make("tr", "below", "", cell));
      row.setAttribute("aria-expanded", true);
    };
    row.setAttribute("aria-expanded", false);
    row.addEventListener("click", turn);
    row.addEventListener("keydown", event => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      turn();
    });
    return row;
  }

  match();
  return {show: wanted => { wanted.forEach((name, i) => { if (name) chosen[i].value = name; }); match(); }};
}

// The sign of a verdict, as everywhere on the page.
function verdict(kind) {
  const [name, sign] = {right: ["all", "✓"], wrong: ["none", "✗"], unknown: ["unknown", "?"], failed: ["failed", "!"]}[kind];
  const mark = make("span", `mark ${name}`, sign);
  mark.title = kind;
  return make("span", "verdict", "", mark, make("span", "", kind));
}
