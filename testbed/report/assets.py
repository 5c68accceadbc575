"""The page's style sheet and script: constants, no data in them."""

from __future__ import annotations

from typing import Final

__all__ = ["SCRIPT", "STYLE"]

STYLE: Final = """
:root {
  color-scheme: light;
  --page: #f5f6f8; --card: #ffffff; --ink: #17202c; --soft: #566273; --line: #dde2e9;
  --grid: #e6eaf0; --accent: #1e5fd6; --warn: #9a3d00; --warn-card: #fff3e6; --good: #1c7a43;
  --bad: #b42318; --code: #eef1f5;
}
@media (prefers-color-scheme: dark) {
  :root:not([data-theme="light"]) {
    color-scheme: dark;
    --page: #0f141b; --card: #171e27; --ink: #e6ebf2; --soft: #9aa7b8; --line: #2a3441;
    --grid: #273140; --accent: #7fb0ff; --warn: #ffb877; --warn-card: #2d2115; --good: #6fd394;
    --bad: #ff8f85; --code: #202935;
  }
}
:root[data-theme="dark"] {
  color-scheme: dark;
  --page: #0f141b; --card: #171e27; --ink: #e6ebf2; --soft: #9aa7b8; --line: #2a3441;
  --grid: #273140; --accent: #7fb0ff; --warn: #ffb877; --warn-card: #2d2115; --good: #6fd394;
  --bad: #ff8f85; --code: #202935;
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
}
main, header.top { max-width: 1080px; margin: 0 auto; padding: 0 20px; }
header.top { padding-top: 28px; }
.line { display: flex; justify-content: space-between; align-items: baseline; gap: 12px; }
.eyebrow { color: var(--soft); font-size: 13px; overflow-wrap: anywhere; }
h1 { font-size: 28px; line-height: 1.2; margin: 6px 0 8px; overflow-wrap: anywhere; }
h2 { font-size: 18px; margin: 0 0 4px; }
p { margin: 6px 0; max-width: 76ch; overflow-wrap: anywhere; }
.soft { color: var(--soft); }
.small { font-size: 13px; }
a { color: var(--accent); }
section {
  background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  padding: 18px 20px; margin: 16px 0; min-width: 0;
}
.badges { display: flex; flex-wrap: wrap; gap: 8px; margin: 12px 0 0; padding: 0; }
.badge {
  border: 1px solid var(--line); border-radius: 999px; padding: 2px 11px; font-size: 13px;
  background: var(--card); overflow-wrap: anywhere;
}
.badge.warn { border-color: currentColor; color: var(--warn); background: var(--warn-card); }
.verdict { display: flex; gap: 16px; align-items: flex-start; flex-wrap: wrap; }
.verdict p { margin: 0; }
.verdict .grade { font-size: 20px; padding: 5px 14px; }
.grade {
  display: inline-block; border: 1px solid currentColor; border-radius: 7px; padding: 0 8px;
  font-weight: 650; white-space: nowrap; color: var(--soft);
}
.grade.fail { color: var(--bad); }
.grade.warn, .grade.inconclusive { color: var(--warn); }
.grade.pass { color: var(--good); }
.offender { margin: 10px 0 0; max-width: none; }
table.left td.figure { text-align: right; white-space: nowrap; }
table.limits td:first-child { white-space: nowrap; }
table.limits { margin-top: 10px; }
table.limits:not(.all) td:first-child { width: 1%; }
table.all td { overflow-wrap: break-word; min-width: 7em; }
.answers { table-layout: fixed; min-width: 540px; }
.answers th:first-child { width: 34%; }
.answers th:nth-child(2) { width: 9%; }
.answers td { line-height: 1.3; }
.answers thead th { vertical-align: bottom; white-space: normal; }
.answers thead th:first-child { font-weight: 400; white-space: normal; }
.answers td:nth-child(2) { color: var(--soft); }
p.bad { color: var(--bad); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(185px, 1fr)); gap: 12px; }
.tiles { margin: 18px 0 0; }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 10px; }
.tile { padding: 13px 16px; }
.tile b { display: block; font-size: 23px; line-height: 1.25; font-variant-numeric: tabular-nums; }
.tile .what { color: var(--soft); font-size: 13px; }
.tile .more { font-size: 13px; }
.scroll { overflow-x: auto; margin: 10px -20px 0; padding: 0 20px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: 5px 10px; text-align: right; white-space: nowrap; vertical-align: baseline; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
th:last-child, td:last-child { padding-right: 0; }
thead th { border-bottom: 2px solid var(--line); font-size: 14px; }
tbody th { font-weight: 400; }
tbody tr + tr > * { border-top: 1px solid var(--grid); }
tr.group > * { padding-top: 14px; color: var(--soft); font-size: 13px; border-top: none; }
tr.strong > * { font-weight: 650; }
tr.sub > th { padding-left: 14px; }
tr.quiet > * { color: var(--soft); }
td.bad { color: var(--bad); font-weight: 650; }
table.left th, table.left td { text-align: left; white-space: normal; }
table.left td { overflow-wrap: anywhere; }
.swatch {
  display: inline-block; width: 10px; height: 10px; border-radius: 3px; margin-right: 7px;
}
.plot { width: 100%; min-width: 0; margin-top: 8px; }
.legend { display: flex; flex-wrap: wrap; gap: 2px 4px; margin: 10px 0 0 -6px; }
.legend:empty { display: none; }
.legend button {
  display: inline-flex; align-items: center; background: none; border: none; padding: 1px 6px;
  font-size: 13px; color: var(--ink);
}
.legend button[aria-pressed="false"] { opacity: 0.45; text-decoration: line-through; }
.choose { margin: 10px 0 0; font-size: 14px; color: var(--soft); }
select, button {
  font: inherit; font-size: 14px; color: var(--ink); background: var(--code);
  border: 1px solid var(--line); border-radius: 7px; padding: 4px 9px; max-width: 100%;
}
button { cursor: pointer; flex: none; }
ul.notes { margin: 8px 0 0; padding-left: 20px; }
ul.notes li { margin: 4px 0; max-width: 84ch; overflow-wrap: anywhere; }
code, .mono { font-family: ui-monospace, "SF Mono", Menlo, Consolas, monospace; font-size: 13px; }
pre {
  background: var(--code); border-radius: 7px; padding: 9px 12px; overflow-x: auto;
  font: 13px/1.45 ui-monospace, "SF Mono", Menlo, Consolas, monospace; white-space: pre-wrap;
  overflow-wrap: anywhere; margin: 8px 0;
}
details { margin-top: 10px; }
summary { cursor: pointer; color: var(--accent); }
td.mono { font-size: 12px; }
footer { color: var(--soft); font-size: 13px; padding: 4px 0 32px; }
@media (max-width: 640px) {
  body { font-size: 14px; }
  main, header.top { padding-left: 12px; padding-right: 12px; }
  h1 { font-size: 23px; }
  section { padding: 14px 12px; }
  .scroll { margin: 10px -12px 0; padding: 0 12px; }
  .compare th:first-child {
    position: sticky; left: -12px; background: var(--card); padding-left: 12px;
    margin-left: -12px; min-width: 112px; z-index: 1;
  }
  .compare tr.sub > th { padding-left: 20px; }
  th, td { padding: 5px 6px; }
  .compare th, .compare tr.wrap td { white-space: normal; }
  .compare thead th { vertical-align: bottom; overflow-wrap: break-word; }
  .answers { min-width: 0; table-layout: auto; }
  .answers th, .answers td { white-space: normal; }
  .answers th:first-child, .answers th:nth-child(2) { width: auto; }
  .answers td b, .answers td > span:first-child { white-space: nowrap; }
  .legend button { font-size: 12px; }
  .tiles { grid-template-columns: 1fr 1fr; gap: 8px; }
  .tile { padding: 10px 12px; }
  .tile b { font-size: 18px; }
}
@media print {
  @page { margin: 12mm; }
  body { background: #fff; font-size: 10pt; }
  main, header.top { max-width: none; padding: 0; }
  section { border: none; border-radius: 0; border-top: 1px solid #bbb; padding: 10px 0; }
  .scroll { overflow: visible; margin: 6px 0 0; padding: 0; }
  tr, .tile, .plot, h2, .verdict { break-inside: avoid; }
  h2 { break-after: avoid; }
  th, td { padding: 3px 6px; white-space: normal; }
  td.mono { font-size: 8px; overflow-wrap: anywhere; }
  .answers { min-width: 0; }
  .tiles { grid-template-columns: repeat(5, 1fr); }
  .tile b { font-size: 15px; }
  .legend button { padding: 0 4px; }
  #theme, .modebar { display: none !important; }
  select { appearance: none; border: none; background: none; padding: 0; }
}
"""

SCRIPT: Final = r"""
"use strict";
(() => {
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const root = document.documentElement;
  let printing = false;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const narrow = matchMedia("(max-width: 640px)");
  const chosen = new Map(figures.map(figure => [figure.name, 0]));
  const colour = name => getComputedStyle(root).getPropertyValue(name).trim();
  // Long names take two lines on a phone.
  const aliases = {};
  for (const figure of figures) for (const variant of figure.variants)
    for (const trace of variant.data) for (const name of trace.y || [])
      if (typeof name === "string") aliases[name] = name.replace(/\+|(?<=.{7}) /, "$&<br>");
  const config = {
    displaylogo: false, responsive: true,
    modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]],
  };

  function axis(given) {
    if (given.type === "category" && narrow.matches) given = Object.assign({}, given, {
      tickfont: {size: 10}, labelalias: aliases,
    });
    return Object.assign({
      gridcolor: colour("--grid"), linecolor: colour("--line"), zerolinecolor: colour("--line"),
      automargin: true, fixedrange: narrow.matches,
    }, given, given.title ? {title: {text: given.title.text, standoff: 8, font: {size: 13}}} : {});
  }

  function dressed(figure, given) {
    return Object.assign({
      height: figure.height,
      margin: {l: 8, r: narrow.matches ? 42 : 56, t: narrow.matches ? 4 : 28, b: 8},
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: {family: getComputedStyle(document.body).fontFamily, color: colour("--ink"),
             size: narrow.matches ? 11 : 13},
      modebar: {bgcolor: "rgba(0,0,0,0)", color: colour("--soft"),
                activecolor: colour("--accent")},
      hoverlabel: {bgcolor: colour("--card"), bordercolor: colour("--line"),
                   font: {color: colour("--ink")}},
    }, given, {
      xaxis: axis(given.xaxis), yaxis: axis(given.yaxis),
      showlegend: false,
    }, printing ? {width: 680, autosize: false} : {autosize: true},
    given.yaxis2 ? {yaxis2: axis(given.yaxis2)} : {});
  }

  function inked(trace) {
    if (!trace.ink) return trace;
    const ink = colour("--ink");
    return Object.assign({}, trace, {
      marker: Object.assign({}, trace.marker, {color: ink}),
      error_x: Object.assign({}, trace.error_x, {color: ink}),
    });
  }

  const hidden = new Map(figures.map(figure => [figure.name, new Set()]));

  function legend(figure, variant) {
    const place = document.getElementById("legend-" + figure.name);
    const named = variant.data.filter(trace => trace.meta);
    const off = hidden.get(figure.name);
    place.replaceChildren(...named.map(trace => {
      const button = document.createElement("button");
      const swatch = document.createElement("span");
      swatch.className = "swatch";
      swatch.style.background =
        trace.ink ? colour("--ink") : (trace.line || trace.marker).color;
      button.type = "button";
      button.setAttribute("aria-pressed", String(!off.has(trace.meta)));
      button.append(swatch, trace.meta);
      button.addEventListener("click", () => {
        if (!off.delete(trace.meta)) off.add(trace.meta);
        draw(figure);
      });
      return button;
    }));
  }

  function shown(figure, trace) {
    const off = hidden.get(figure.name).has(trace.meta || trace.tied);
    return inked(off ? Object.assign({}, trace, {visible: false}) : trace);
  }

  function draw(figure) {
    const place = document.getElementById("plot-" + figure.name);
    const variant = figure.variants[chosen.get(figure.name)];
    legend(figure, variant);
    const buttons = Object.assign({}, config, {displayModeBar: narrow.matches ? false : "hover"});
    const data = variant.data.map(trace => shown(figure, trace));
    const layout = dressed(figure, variant.layout);
    if (data.some(trace => trace.visible === false)) layout.annotations = [];
    return Plotly.react(place, data, layout, buttons);
  }

  const drawAll = () => Promise.all(figures.map(draw));

  for (const figure of figures) {
    const choose = document.getElementById("choose-" + figure.name);
    if (choose) choose.addEventListener("change", () => {
      chosen.set(figure.name, choose.selectedIndex);
      draw(figure);
    });
  }
  const modes = ["", "dark", "light"];
  document.getElementById("theme").addEventListener("click", event => {
    const next = modes[(modes.indexOf(root.dataset.theme || "") + 1) % modes.length];
    if (next) root.dataset.theme = next; else delete root.dataset.theme;
    event.currentTarget.textContent = "Theme: " + (next || "auto");
    drawAll();
  });
  dark.addEventListener("change", drawAll);
  narrow.addEventListener("change", drawAll);
  // On paper: light, the folded tables of figures open, plots as wide as a page of A4 or Letter.
  let before, folded;
  addEventListener("beforeprint", () => {
    if (printing) return;
    printing = true;
    before = root.dataset.theme; root.dataset.theme = "light";
    folded = [...document.querySelectorAll("details[data-print]:not([open])")];
    for (const part of folded) part.open = true;
    drawAll();
  });
  addEventListener("afterprint", () => {
    printing = false;
    if (before) root.dataset.theme = before; else delete root.dataset.theme;
    for (const part of folded || []) part.open = false;
    drawAll();
  });
  drawAll().then(() => { root.dataset.drawn = String(figures.length); });
})();
"""
