"use strict";
(() => {
  // Pixels that fit A4 and Letter between the browsers' default margins, and half of them.
  const printWidth = (plot) => (plot.closest(".half, .square") ? 318 : 660);
  const config = {responsive: true, displaylogo: false, showSendToCloud: false, plotlyServerURL: ""};
  const plots = [];

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const isCells = (trace) => trace.type === "heatmap" && trace.meta !== "own colours";
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
    for (const trace of data) if (isCells(trace)) trace.colorscale = cellColours();
    layout.font = {...layout.font, color: colour("--text")};
    layout.hoverlabel = {bgcolor: colour("--raised"), bordercolor: colour("--rule"), font: {color: colour("--text")}};
    try {
      await Plotly.newPlot(plot, data, layout, config);
      plots.push(plot);
      plot.on("plotly_click", ({points: [point]}) => {
        if (point && point.data.meta === "trials" && point.customdata) location.hash = "trial-" + point.customdata[0];
      });
      plot.dataset.state = "drawn";
    } catch (error) {
      plot.textContent = "This figure could not be drawn: " + error.message;
      plot.dataset.state = "failed";
      console.error(error);
    }
  }

  function follow(plot, more = {}) {
    const cells = plot.data.flatMap((trace, index) => (isCells(trace) ? [index] : []));
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
    document.querySelectorAll("details[open] .plot").forEach((plot) => plot.checkVisibility() && draw(plot));
    plots.forEach((plot) => follow(plot, {width: Math.min(printWidth(plot), plot.clientWidth)}));
  });
  addEventListener("afterprint", () => {
    document.documentElement.classList.remove("paper");
    plots.forEach((plot) => follow(plot, {width: null, autosize: true}));
  });

  const table = document.querySelector("table.trials");
  const trials = table && trialTable(table);
  copyButtons(document);
  function followHash() {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    for (let fold = target.closest("details") || target.querySelector("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
    if (trials && target.dataset.trial) trials.reveal(target);
    target.scrollIntoView({block: target.dataset.trial ? "center" : "start"});
  }
  addEventListener("hashchange", followHash);

  // A page that reloads itself while the study runs comes back as it was left.
  const KEY = "report:" + location.pathname;
  const live = document.querySelector('meta[http-equiv="refresh"]') !== null;
  if (live) history.scrollRestoration = "manual"; // the browser's own comes later and scrolls smoothly
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
  followHash();
})();
