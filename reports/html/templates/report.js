"use strict";
(() => {
  // Pixels that fit A4 and Letter between the browsers' default margins, and half of them.
  const printWidth = (plot) => (plot.closest(".half, .square") ? 318 : 660);
  const config = {responsive: true, displaylogo: false, showSendToCloud: false, plotlyServerURL: ""};
  const MOST_ROWS = 100; // of the table of trials that are shown at first: a thousand take seconds to lay out
  const plots = [];

  const element = (name, text, properties = {}) => Object.assign(document.createElement(name), {textContent: text, ...properties});
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const cellColours = () => [[0, colour("--cell-low")], [1, colour("--cell-high")]];

  // Text and hover colours follow the page's scheme; everything else is readable on both.
  const layoutColours = () => ({
    "font.color": colour("--text"),
    "hoverlabel.bgcolor": colour("--raised"),
    "hoverlabel.bordercolor": colour("--rule"),
    "hoverlabel.font.color": colour("--text"),
  });

  // plotly.js lies in the page as text: reading it takes a second, and the page answers before.
  function loadPlotly() {
    if (window.Plotly) return;
    document.head.append(element("script", document.getElementById("plotly-js").textContent));
  }

  async function draw(plot) {
    if (plot.dataset.state) return;
    plot.dataset.state = "drawing";
    loadPlotly();
    const {data, layout} = JSON.parse(plot.nextElementSibling.textContent);
    for (const trace of data) if (trace.type === "heatmap") trace.colorscale = cellColours();
    layout.font = {...layout.font, color: colour("--text")};
    layout.hoverlabel = {bgcolor: colour("--raised"), bordercolor: colour("--rule"), font: {color: colour("--text")}};
    try {
      await Plotly.newPlot(plot, data, layout, config);
      plots.push(plot);
      plot.dataset.state = "drawn";
    } catch (error) {
      plot.textContent = "This figure could not be drawn: " + error.message;
      plot.dataset.state = "failed";
      console.error(error);
    }
  }

  function follow(plot, more = {}) {
    const cells = plot.data.flatMap((trace, index) => (trace.type === "heatmap" ? [index] : []));
    const layout = {...layoutColours(), ...more};
    return cells.length ? Plotly.update(plot, {colorscale: [cellColours()]}, layout, cells) : Plotly.relayout(plot, layout);
  }

  // Figures are drawn when they come near the screen, one at a time: the page stays responsive.
  const waiting = [];
  let drawing = false;
  async function drawWaiting() {
    if (drawing) return;
    drawing = true;
    while (waiting.length) {
      await new Promise((resume) => setTimeout(resume));
      await draw(waiting.shift());
    }
    drawing = false;
  }
  const near = new IntersectionObserver((entries) => {
    for (const {target, isIntersecting} of entries) {
      if (!isIntersecting) continue;
      near.unobserve(target);
      waiting.push(target);
    }
    drawWaiting();
  }, {rootMargin: "300px 0px"});

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => plots.forEach((plot) => follow(plot)));
  addEventListener("beforeprint", () => {
    document.documentElement.classList.add("paper");
    document.querySelectorAll(".plot").forEach((plot) => draw(plot));
    plots.forEach((plot) => follow(plot, {width: Math.min(printWidth(plot), plot.clientWidth)}));
  });
  addEventListener("afterprint", () => {
    document.documentElement.classList.remove("paper");
    plots.forEach((plot) => follow(plot, {width: null, autosize: true}));
  });

  // The table of trials: sorting, filtering, and rows that open.

  function curve(points) {
    const [width, height, gap] = [260, 90, 6];
    const values = points.map(([, value]) => value);
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const at = (index, value) => [
      gap + (width - 2 * gap) * (points.length > 1 ? index / (points.length - 1) : 0.5),
      height - gap - (height - 2 * gap) * (high > low ? (value - low) / (high - low) : 0.5),
    ];
    const svg = document.getElementById("curve").content.firstElementChild.cloneNode(true);
    const label = `Validation accuracy over ${points.length} epochs, ${(100 * low).toFixed(1)}% to ${(100 * high).toFixed(1)}%`;
    const attributes = {viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label};
    for (const [name, value] of Object.entries(attributes)) svg.setAttribute(name, value);
    svg.firstElementChild.setAttribute("points", values.map((value, index) => at(index, value).join()).join(" "));
    for (const [index, value] of values.entries()) {
      const mark = document.createElementNS(svg.namespaceURI, "circle");
      const [x, y] = at(index, value);
      for (const [name, number] of Object.entries({cx: x, cy: y, r: 2.5})) mark.setAttribute(name, number);
      svg.append(mark);
    }
    const figure = element("div", "", {className: "curve"});
    figure.append(svg, element("p", label + ".", {className: "quiet"}));
    return figure;
  }

  function pairs(values) {
    const list = element("dl", "", {className: "pairs"});
    for (const [name, value] of Object.entries(values)) {
      const pair = element("div", "");
      pair.append(element("dt", name), element("dd", value));
      list.append(pair);
    }
    return list;
  }

  function detail(found, columns) {
    const cell = element("td", "", {colSpan: columns});
    cell.append(pairs(found.hyperparameters));
    if (found.curve.length) cell.append(curve(found.curve));
    const about = {files: found.directory, ...(found.worker && {worker: found.worker}), ...found.times};
    if (found.cache) about["prefix cache"] = found.cache;
    cell.append(pairs(about));
    if (found.error) cell.append(element("p", "Error", {className: "quiet"}), element("pre", found.error));
    if (found.command) {
      const command = element("p", "", {className: "command"});
      command.append(element("span", "Train this configuration again"), element("code", found.command));
      cell.append(command);
    }
    const row = element("tr", "", {className: "detail"});
    row.append(cell);
    return row;
  }

  function trialTable(table) {
    const body = table.tBodies[0];
    const all = JSON.parse(document.getElementById("trial-details").textContent);
    const rows = Array.from(body.rows, (row) => ({row, text: row.textContent.toLowerCase(), opened: null}));
    const [filter, chosen, count, more] = ["trial-filter", "trial-state", "trial-count", "trial-all"].map((id) => document.getElementById(id));
    const headings = Array.from(table.tHead.rows[0].cells);
    let sorted = {column: 0, down: false};
    let most = MOST_ROWS;

    function key({row}, column) {
      const cell = row.cells[column];
      if (headings[column].dataset.sort === "text") return cell.textContent;
      const number = parseFloat(cell.dataset.value ?? cell.textContent);
      return Number.isNaN(number) ? null : number;
    }

    function sort() {
      const {column, down} = sorted;
      const keyed = rows.map((entry) => [key(entry, column), entry]);
      keyed.sort(([a], [b]) => {
        if (a === null || b === null) return (a === null) - (b === null); // what has no value comes last, either way
        return (a < b ? -1 : a > b ? 1 : 0) * (down ? -1 : 1);
      });
      rows.splice(0, rows.length, ...keyed.map(([, entry]) => entry));
      body.append(...rows.flatMap(({row, opened}) => (opened ? [row, opened] : [row])));
      headings.forEach((heading, index) => {
        if (index === column) heading.setAttribute("aria-sort", down ? "descending" : "ascending");
        else heading.removeAttribute("aria-sort");
      });
      apply();
    }

    function apply() {
      const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
      let fitting = 0;
      for (const {row, text, opened} of rows) {
        const state = row.cells[1].textContent;
        const fits = (!chosen.value || state === chosen.value) && words.every((word) => text.includes(word));
        fitting += fits;
        row.hidden = !fits || fitting > most;
        if (opened) opened.hidden = row.hidden;
      }
      more.hidden = fitting <= most;
      const all = `${fitting.toLocaleString("en")} of ${rows.length.toLocaleString("en")} trials`;
      count.textContent = more.hidden ? all : `${all}, the first ${most} shown`;
    }

    function toggle(entry, button) {
      if (entry.opened) {
        entry.opened.remove();
        entry.opened = null;
      } else {
        entry.opened = detail(all[entry.row.dataset.trial], headings.length);
        entry.row.after(entry.opened);
      }
      button.setAttribute("aria-expanded", String(Boolean(entry.opened)));
    }

    headings.forEach((heading, column) => {
      if (!heading.dataset.sort) return;
      const button = element("button", heading.textContent, {type: "button"});
      heading.replaceChildren(button);
      button.addEventListener("click", () => {
        sorted = {column, down: sorted.column === column ? !sorted.down : heading.textContent === "score"};
        sort();
      });
    });
    for (const entry of rows) {
      const cell = entry.row.cells[0];
      const button = element("button", cell.textContent, {type: "button", title: "Show the trial's details"});
      button.setAttribute("aria-expanded", "false");
      cell.replaceChildren(button);
      button.addEventListener("click", () => toggle(entry, button));
    }
    filter.addEventListener("input", apply);
    chosen.addEventListener("change", apply);
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
    };
  }

  const table = document.querySelector("table.trials");
  const trials = table && trialTable(table);

  // A page that reloads itself while the study runs comes back as it was left.
  const KEY = "report:" + location.pathname;
  const live = document.querySelector('meta[http-equiv="refresh"]') !== null;
  let kept = null;
  try {
    kept = live ? JSON.parse(sessionStorage.getItem(KEY)) : null;
    addEventListener("pagehide", () => {
      const box = document.querySelector(".scroll.long");
      sessionStorage.setItem(KEY, JSON.stringify({y: scrollY, box: box && box.scrollTop, trials: trials && trials.state()}));
    });
  } catch (error) {
    console.info("The page's place is not kept: " + error.message); // storage is switched off
  }
  if (trials) trials.restore(kept && kept.trials);
  if (kept) {
    scrollTo({top: kept.y, behavior: "instant"});
    const box = document.querySelector(".scroll.long");
    if (box && kept.box) box.scrollTop = kept.box;
  }
  document.querySelectorAll(".plot").forEach((plot) => near.observe(plot));
})();
