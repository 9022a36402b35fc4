"use strict";
(() => {
  const PRINT_WIDTH = 660; // pixels that fit A4 and Letter between the browsers' default margins
  const config = {responsive: true, displaylogo: false, modeBarButtonsToRemove: ["lasso2d", "select2d"]};
  const plots = [];

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const cellColours = () => [[0, colour("--cell-low")], [1, colour("--cell-high")]];

  // Text and hover colours follow the page's scheme; everything else is readable on both.
  const layoutColours = () => ({
    "font.color": colour("--text"),
    "hoverlabel.bgcolor": colour("--raised"),
    "hoverlabel.bordercolor": colour("--rule"),
    "hoverlabel.font.color": colour("--text"),
  });

  async function draw(plot) {
    const {data, layout} = JSON.parse(plot.nextElementSibling.textContent);
    for (const trace of data) if (trace.type === "heatmap") trace.colorscale = cellColours();
    layout.font = {...layout.font, color: colour("--text")};
    layout.hoverlabel = {bgcolor: colour("--raised"), bordercolor: colour("--rule"), font: {color: colour("--text")}};
    try {
      await Plotly.newPlot(plot, data, layout, config);
      plots.push(plot);
    } catch (error) {
      plot.textContent = "This figure could not be drawn: " + error.message;
      console.error(error);
    }
  }

  function follow(plot, more = {}) {
    const cells = plot.data.flatMap((trace, index) => (trace.type === "heatmap" ? [index] : []));
    const layout = {...layoutColours(), ...more};
    return cells.length ? Plotly.update(plot, {colorscale: [cellColours()]}, layout, cells) : Plotly.relayout(plot, layout);
  }

  async function drawAll() {
    for (const plot of document.querySelectorAll(".plot")) {
      await new Promise((resume) => setTimeout(resume)); // the page stays responsive between figures
      await draw(plot);
    }
    document.documentElement.dataset.drawn = "true";
  }

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => plots.forEach((plot) => follow(plot)));
  addEventListener("beforeprint", () => {
    document.documentElement.classList.add("paper");
    plots.forEach((plot) => follow(plot, {width: Math.min(PRINT_WIDTH, plot.clientWidth)}));
  });
  addEventListener("afterprint", () => {
    document.documentElement.classList.remove("paper");
    plots.forEach((plot) => follow(plot, {width: null, autosize: true}));
  });
  drawAll();
})();
