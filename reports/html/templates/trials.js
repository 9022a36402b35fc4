"use strict";
// The table of trials: sorting, filtering, rows that open, and two trials side by side.

const element = (name, text, properties = {}) => Object.assign(document.createElement(name), {textContent: text, ...properties});

function copyButtons(within) {
  for (const code of within.querySelectorAll(".command code")) {
    const button = element("button", "Copy", {type: "button", className: "copy"});
    button.addEventListener("click", async () => {
      const said = code.textContent.trim();
      try {
        await navigator.clipboard.writeText(said);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(code); // the browser keeps the clipboard to itself: the text is selected to be copied
        button.textContent = "Selected";
      }
      setTimeout(() => (button.textContent = "Copy"), 1500);
    });
    code.before(button);
  }
}

// One curve, or several over each other: [{points: [[epoch, value]], name}].
function curve(lines) {
  const [width, height, gap] = [260, 90, 6];
  const all = lines.flatMap(({points}) => points);
  const [low, high] = [Math.min(...all.map(([, value]) => value)), Math.max(...all.map(([, value]) => value))];
  const [first, last] = [Math.min(...all.map(([epoch]) => epoch)), Math.max(...all.map(([epoch]) => epoch))];
  const at = ([epoch, value]) => [
    gap + (width - 2 * gap) * (last > first ? (epoch - first) / (last - first) : 0.5),
    height - gap - (height - 2 * gap) * (high > low ? (value - low) / (high - low) : 0.5),
  ];
  const template = document.getElementById("curve");
  const svg = template.content.firstElementChild.cloneNode(true);
  const {label: score, unit, best} = template.dataset; // of the study's objective
  const text = (value) => (unit === "share" ? `${(100 * value).toFixed(1)}%` : value.toFixed(3));
  const said = lines.map(({points, name}) => `${name}${points.length} epochs to ${text(Math[best](...points.map(([, value]) => value)))}`);
  const label = `${score}: ${said.join(", ")}; the axis goes from ${text(low)} to ${text(high)}`;
  for (const [name, value] of Object.entries({viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label})) svg.setAttribute(name, value);
  const model = svg.firstElementChild;
  model.remove();
  lines.forEach(({points}, index) => {
    const line = model.cloneNode();
    line.setAttribute("points", points.map((point) => at(point).join()).join(" "));
    line.setAttribute("class", "line" + index);
    svg.append(line);
    for (const point of points) {
      const mark = document.createElementNS(svg.namespaceURI, "circle");
      const [x, y] = at(point);
      for (const [name, value] of Object.entries({cx: x, cy: y, r: 2.2, class: "line" + index})) mark.setAttribute(name, value);
      svg.append(mark);
    }
  });
  const figure = element("div", "", {className: "curve"});
  figure.append(svg, element("p", label + ".", {className: "quiet"}));
  return figure;
}

function pairs(values, meanings = {}) {
  const list = element("dl", "", {className: "pairs"});
  for (const [name, value] of Object.entries(values)) {
    const pair = element("div", "");
    pair.append(element("dt", name, meanings[name] ? {title: meanings[name]} : {}), element("dd", value));
    list.append(pair);
  }
  return list;
}

function detail(number, found, meanings, columns) {
  const cell = element("td", "", {colSpan: columns});
  cell.append(pairs(found.hyperparameters, meanings));
  if (found.frozen) cell.append(element("p", "Freeze index: " + found.frozen + ".", {className: "quiet"}));
  if (found.curve.length) cell.append(curve([{points: found.curve, name: ""}]));
  const about = {files: found.directory, ...(found.worker && {worker: found.worker}), ...found.times};
  if (found.cache) about["prefix cache"] = found.cache;
  cell.append(pairs(about));
  if (found.error) cell.append(element("p", "Error", {className: "quiet"}), element("pre", found.error));
  if (found.command) {
    const command = element("p", "", {className: "command"});
    command.append(element("span", "Train this configuration again"), element("code", found.command));
    cell.append(command);
    copyButtons(cell);
  }
  const link = element("a", "Link to this trial", {href: "#trial-" + number});
  cell.append(link);
  const row = element("tr", "", {className: "detail"});
  row.append(cell);
  return row;
}

function comparison([one, other], all) {
  const [a, b] = [all[one], all[other]];
  const names = Array.from(new Set([...Object.keys(a.hyperparameters), ...Object.keys(b.hyperparameters)]));
  const differ = names.filter((name) => a.hyperparameters[name] !== b.hyperparameters[name]);
  const table = element("table", "");
  const head = element("tr", "");
  head.append(element("th", "hyperparameter", {scope: "col"}), element("th", "trial " + one, {scope: "col"}), element("th", "trial " + other, {scope: "col"}));
  table.createTHead().append(head);
  const body = table.createTBody();
  for (const name of differ) {
    const row = element("tr", "");
    row.append(element("th", name, {scope: "row"}), element("td", a.hyperparameters[name] ?? "–"), element("td", b.hyperparameters[name] ?? "–"));
    body.append(row);
  }
  const panel = document.createDocumentFragment();
  panel.append(element("h3", `Trials ${one} and ${other}`));
  panel.append(differ.length ? table : element("p", "They have the same hyperparameters."));
  if (differ.length < names.length) panel.append(element("p", `The other ${names.length - differ.length} hyperparameters are the same.`, {className: "quiet"}));
  const lines = [[one, a], [other, b]].filter(([, {curve}]) => curve.length).map(([number, {curve}]) => ({points: curve, name: `trial ${number}: `}));
  if (lines.length) panel.append(curve(lines));
  return panel;
}

// learning_rate<1e-3: the column's name (or its beginning, where no other begins so), a comparison, a number or a text.
function condition(word, headings) {
  const found = /^([\w@/.-]+?)(<=|>=|!=|<|>|=)(.+)$/.exec(word);
  if (!found) return {fits: ({text}) => text.includes(word)};
  const [, name, sign, wanted] = found;
  const names = headings.map((heading) => (heading.dataset.name || "").toLowerCase());
  let column = names.indexOf(name);
  if (column < 0) {
    const begin = names.flatMap((own, index) => (own.startsWith(name) ? [index] : []));
    if (begin.length !== 1) return {unknown: name};
    [column] = begin;
  }
  const number = wanted.endsWith("%") ? parseFloat(wanted) / 100 : Number(wanted);
  const compare = {"<": (x, y) => x < y, ">": (x, y) => x > y, "<=": (x, y) => x <= y, ">=": (x, y) => x >= y, "=": (x, y) => x === y, "!=": (x, y) => x !== y}[sign];
  return {
    fits: ({row}) => {
      const cell = row.cells[column];
      const own = valueOf(cell);
      if (!Number.isNaN(number) && own !== null) return compare(own, number);
      if (sign !== "=" && sign !== "!=") return false;
      return compare(cell.textContent.trim().toLowerCase(), wanted);
    },
  };
}

function valueOf(cell) {
  const number = Number(cell.dataset.value ?? (cell.textContent.trim() || NaN));
  return Number.isNaN(number) ? null : number;
}

function trialTable(table) {
  const MOST_ROWS = 100; // that are shown at first: a thousand take seconds to lay out
  const body = table.tBodies[0];
  const {trials: all, meanings} = JSON.parse(document.getElementById("trial-details").textContent);
  const rows = Array.from(body.rows, (row) => ({row, text: row.textContent.toLowerCase(), opened: null}));
  const asWritten = rows.slice(); // best first
  const [filter, chosen, count, more, both, panel] = ["trial-filter", "trial-state", "trial-count", "trial-all", "trial-compare", "comparison"].map((id) => document.getElementById(id));
  const headings = Array.from(table.tHead.rows[0].cells);
  let sorted = null;
  let most = MOST_ROWS;
  let picked = [];

  function key({row}, column) {
    const cell = row.cells[column];
    return headings[column].dataset.sort === "text" ? cell.textContent : valueOf(cell);
  }

  function sort() {
    rows.splice(0, rows.length, ...asWritten);
    if (sorted) {
      const {column, down} = sorted;
      const keyed = rows.map((entry) => [key(entry, column), entry]);
      keyed.sort(([a], [b]) => {
        if (a === null || b === null) return (a === null) - (b === null); // what has no value comes last, either way
        return (a < b ? -1 : a > b ? 1 : 0) * (down ? -1 : 1);
      });
      rows.splice(0, rows.length, ...keyed.map(([, entry]) => entry));
    }
    body.append(...rows.flatMap(({row, opened}) => (opened ? [row, opened] : [row])));
    headings.forEach((heading, index) => {
      if (sorted && index === sorted.column) heading.setAttribute("aria-sort", sorted.down ? "descending" : "ascending");
      else heading.removeAttribute("aria-sort");
    });
    apply();
  }

  function apply() {
    const conditions = filter.value.toLowerCase().split(/\s+/).filter(Boolean).map((word) => condition(word, headings));
    const unknown = conditions.find((one) => one.unknown);
    let fitting = 0;
    for (const entry of rows) {
      const state = entry.row.cells[1].textContent;
      const fits = !unknown && (!chosen.value || state === chosen.value) && conditions.every((one) => one.fits(entry));
      fitting += fits;
      entry.row.hidden = !fits || fitting > most;
      if (entry.opened) entry.opened.hidden = entry.row.hidden;
    }
    more.hidden = fitting <= most;
    const said = `${fitting.toLocaleString("en")} of ${rows.length.toLocaleString("en")} trials`;
    count.textContent = unknown ? `There is no column ${unknown.unknown}.` : more.hidden ? said : `${said}, the first ${most} shown`;
  }

  function toggle(entry, button) {
    if (entry.opened) {
      entry.opened.remove();
      entry.opened = null;
    } else {
      const number = entry.row.dataset.trial;
      entry.opened = detail(number, all[number], meanings, headings.length);
      entry.row.after(entry.opened);
    }
    button.setAttribute("aria-expanded", String(Boolean(entry.opened)));
  }

  function pick(number, on) {
    picked = picked.filter((one) => one !== number).concat(on ? [number] : []).slice(-2);
    for (const box of body.querySelectorAll("input")) box.checked = picked.includes(box.value);
    both.disabled = picked.length !== 2;
    both.textContent = picked.length === 2 ? `Compare trials ${picked[0]} and ${picked[1]}` : "Compare two";
    if (picked.length !== 2) panel.hidden = true;
  }

  headings.forEach((heading, column) => {
    if (!heading.dataset.sort) return;
    const button = element("button", heading.textContent, {type: "button"});
    heading.replaceChildren(button);
    button.addEventListener("click", () => {
      sorted = {column, down: sorted && sorted.column === column ? !sorted.down : heading.dataset.best === "max"};
      sort();
    });
  });
  for (const entry of rows) {
    const cell = entry.row.cells[0];
    const number = entry.row.dataset.trial;
    const button = element("button", cell.textContent, {type: "button", title: "Show the trial's details"});
    button.setAttribute("aria-expanded", "false");
    button.addEventListener("click", () => toggle(entry, button));
    const box = element("input", "", {type: "checkbox", value: number, title: "Choose to compare"});
    box.setAttribute("aria-label", `Compare trial ${number}`);
    box.addEventListener("change", () => pick(number, box.checked));
    cell.replaceChildren(box, button);
  }
  filter.addEventListener("input", apply);
  chosen.addEventListener("change", apply);
  both.addEventListener("click", () => {
    panel.replaceChildren(comparison(picked, all));
    panel.hidden = false;
    panel.scrollIntoView({block: "nearest"});
  });
  more.addEventListener("click", () => {
    most = Infinity;
    apply();
  });
  document.querySelector(".controls").hidden = false;
  return {
    state: () => ({filter: filter.value, chosen: chosen.value, sorted}),
    restore(kept) {
      if (kept) {
        filter.value = kept.filter;
        if (Array.from(chosen.options).some((option) => option.value === kept.chosen)) chosen.value = kept.chosen;
        sorted = kept.sorted;
      }
      sort();
    },
    // A trial that a link or a point leads to: shown whatever the filter, and open.
    reveal(row) {
      const entry = rows.find((one) => one.row === row);
      if (row.hidden) {
        filter.value = chosen.value = "";
        apply();
        row.hidden = false;
      }
      if (!entry.opened) toggle(entry, row.querySelector("button"));
    },
  };
}
