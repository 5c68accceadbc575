"""The live page's style sheets and script: constants, no data in them."""

from __future__ import annotations

from typing import Final

from testbed.report.assets import STYLE

__all__ = ["LIVE_SCRIPT", "LIVE_STYLE", "PLOTLY_STYLE"]

LIVE_STYLE: Final = (
    STYLE
    + """
[hidden] { display: none !important; }
.plots { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 16px; }
.plots { margin: 16px 0; }
.plots > section { margin: 0; }
.plot { height: 300px; }
.legend { margin-top: 6px; }
.legend span.entry { display: inline-flex; align-items: center; padding: 1px 6px; font-size: 13px; }
.lost { color: var(--bad); font-weight: 650; margin: 14px 0 0; }
.badge.good { border-color: currentColor; color: var(--good); }
.badge.bad { border-color: currentColor; color: var(--bad); }
progress {
  display: block; width: 100%; height: 8px; margin: 4px 0; border: none; border-radius: 4px;
  appearance: none; background: var(--grid); overflow: hidden; accent-color: var(--accent);
}
progress::-webkit-progress-bar { background: var(--grid); }
progress::-webkit-progress-value { background: var(--accent); }
progress::-moz-progress-bar { background: var(--accent); }
.tile .more { overflow-wrap: anywhere; }
td:first-child { overflow-wrap: anywhere; white-space: normal; min-width: 104px; }
table td.bad, table b.bad { color: var(--bad); }
form.login {
  max-width: 380px; margin: 12vh auto; background: var(--card); border: 1px solid var(--line);
  border-radius: 10px; padding: 22px 24px;
}
form.login input {
  display: block; width: 100%; margin: 12px 0; padding: 9px 10px; font: inherit;
  color: var(--ink); background: var(--page); border: 1px solid var(--line); border-radius: 7px;
}
@media (max-width: 860px) { .plots { grid-template-columns: minmax(0, 1fr); } }
@media (max-width: 640px) {
  .plot { height: 240px; }
  table { font-size: 13px; }
  thead th { font-size: 13px; white-space: normal; vertical-align: bottom; }
  th, td { padding: 5px 3px; }
  td:first-child { min-width: 82px; }
  .tile:first-child { grid-column: 1 / -1; }
}
"""
)

PLOTLY_STYLE: Final = """
.js-plotly-plot .plotly, .js-plotly-plot .plotly div { direction: ltr; margin: 0; padding: 0; }
.js-plotly-plot .plotly svg { overflow: hidden; }
.js-plotly-plot .plotly .main-svg { position: absolute; top: 0; left: 0; pointer-events: none; }
.js-plotly-plot .plotly .main-svg .draglayer { pointer-events: all; }
.js-plotly-plot .plotly .svg-container { position: relative; }
.js-plotly-plot .plotly .user-select-none { user-select: none; }
.js-plotly-plot .plotly .cursor-crosshair { cursor: default; }
"""
"""What plotly would otherwise write into the page itself, for plots without buttons."""

LIVE_SCRIPT: Final = r"""
"use strict";
(() => {
  const words = JSON.parse(document.getElementById("words").textContent);
  const root = document.documentElement;
  const $ = id => document.getElementById(id);
  const narrow = matchMedia("(max-width: 640px)");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const colour = name => getComputedStyle(root).getPropertyValue(name).trim();
  const BREAK = "-";
  let run = null;

  // Figures, as table and report write them.
  function scaled(value, unit) {
    if (value === null || value === undefined) return BREAK;
    const size = Math.abs(value);
    if (size > 0 && size < 0.1) {
      const small = value * 1e3, s = Math.abs(small);
      return small.toFixed(s >= 10 ? 0 : s >= 1 ? 1 : 2) + " m" + unit;
    }
    return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2) + " " + unit;
  }
  const seconds = value => scaled(value, "s");
  const joules = value => scaled(value, "J");
  function octets(value) {
    if (value === null || value === undefined) return BREAK;
    return Math.abs(value - Math.round(value)) < 0.005 ? value.toFixed(0) : value.toFixed(1);
  }
  function quantile(found) {
    if (!found) return BREAK;
    if (!found.censored) return seconds(found.value_s);
    return found.value_s === null ? "not answered" : "> " + found.value_s + " s";
  }
  function clock(value) {
    const tenths = Math.round(value * 10);
    const minutes = Math.floor(tenths / 600), second = (tenths % 600) / 10;
    const two = number => String(number).padStart(2, "0");
    return Math.floor(minutes / 60) + ":" + two(minutes % 60) + ":" +
      second.toFixed(1).padStart(4, "0");
  }

  // Elements: whatever comes from the run is placed as text.
  function h(name, ...children) {
    const node = document.createElement(name);
    for (const child of children) {
      if (child instanceof Map) for (const [key, value] of child) node.setAttribute(key, value);
      else if (child !== null && child !== undefined) node.append(child);
    }
    return node;
  }
  const classed = name => new Map([["class", name]]);
  function text(id, value) {
    const node = $(id);
    if (node.textContent !== value) node.textContent = value;
  }
  function table(id, head, rows) {
    $(id).replaceChildren(
      h("thead", h("tr", ...head.map(title => h("th", title)))),
      h("tbody", ...rows.map(row => h("tr", ...row.map(cell => cell instanceof Node
        ? cell : h("td", cell))))));
  }
  const bad = (value, when) => h("td", when ? classed("bad") : null, value);
  // plotly reads a little HTML in its texts
  const plain = value => value.replace(/[&<>]/g, found =>
    ({"&": "&amp;", "<": "&lt;", ">": "&gt;"})[found]);
  // A name in lines of some length, broken behind its joints.
  function lines(name) {
    const found = [""];
    for (const part of name.split(/(?<=[+/])/)) {
      if (found[found.length - 1] && (found[found.length - 1] + part).length > 19) found.push("");
      found[found.length - 1] += part;
    }
    return found;
  }
  const folded = name => lines(name).map(plain).join("<br>");

  function colourOf(name) {
    if (Object.hasOwn(words.colours, name)) return words.colours[name];
    const others = run.configurations.map(row => row.configuration)
      .filter(other => !Object.hasOwn(words.colours, other));
    return words.more[Math.max(others.indexOf(name), 0) % words.more.length];
  }
  function swatch(background) {
    const node = h("span", classed("swatch"));
    node.style.background = background;
    return node;
  }
  function legend(name, entries) {
    $("legend-" + name).replaceChildren(...entries.map(([label, background]) =>
      h("span", classed("entry"), swatch(background), label)));
  }

  function axis(given) {
    return Object.assign({
      gridcolor: colour("--grid"), linecolor: colour("--line"), zerolinecolor: colour("--line"),
      automargin: true, fixedrange: true,
    }, given, {title: {text: given.title || "", standoff: 8, font: {size: 12}}});
  }
  function plot(name, data, layout) {
    const place = $("plot-" + name);
    const full = Object.assign({
      height: place.clientHeight, margin: {l: 8, r: 18, t: 10, b: 8}, showlegend: false,
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: {family: getComputedStyle(document.body).fontFamily, color: colour("--ink"),
             size: narrow.matches ? 11 : 12},
      hoverlabel: {bgcolor: colour("--card"), bordercolor: colour("--line"),
                   font: {color: colour("--ink")}},
    }, layout, {xaxis: axis(layout.xaxis), yaxis: axis(layout.yaxis)});
    return Plotly.react(place, data, full, {displayModeBar: false, responsive: true});
  }

  function span(end) {
    if (end > 3 * 86400) return [86400, "days"];
    if (end > 3 * 3600) return [3600, "hours"];
    return end > 300 ? [60, "minutes"] : [1, "seconds"];
  }
  function drawLatency(names) {
    const [unit, unitName] = span(run.at_s);
    const timeout = run.run.answer_timeout_s;
    const data = [];
    // What had no answer stands above all that had one: its time-out is far away.
    const slowest = Math.max(0, ...names.flatMap(name => run.points[name]
      ? run.points[name].latency_s.filter(latency => latency !== null) : []));
    const above = slowest ? slowest * 1.15 : timeout || 1;
    let thinned = 1, lost = 0;
    for (const name of names) {
      const points = run.points[name];
      if (!points) continue;
      thinned = Math.max(thinned, points.stride);
      const series = (keep, value, marker, said) => {
        const chosen = points.at_s.map((at, index) => index)
          .filter(index => keep(points.latency_s[index]));
        if (chosen.length) data.push({
          type: "scatter", mode: "markers", name: plain(name), hoverlabel: {namelength: -1},
          x: chosen.map(index => points.at_s[index] / unit),
          y: chosen.map(index => value(points.latency_s[index])),
          marker: Object.assign({color: colourOf(name), size: 5, opacity: 0.8}, marker),
          hovertemplate: said || "%{y:.2f} s",
        });
        return chosen.length;
      };
      series(latency => latency !== null, latency => latency, {});
      lost += series(latency => latency === null, () => above,
        {symbol: "x", size: 8, opacity: 1}, "no answer");
    }
    legend("latency", names.map(name => [name, colourOf(name)]));
    text("note-latency", [
      lost ? "A cross is a message without an answer" +
        (timeout === null ? "." : " within " + timeout + " s.") : "",
      thinned > 1 ? "Up to every " + thinned + "th message is drawn." : "",
    ].filter(part => part).join(" "));
    return plot("latency", data, {
      xaxis: {title: unitName + " since the run began", rangemode: "tozero"},
      yaxis: {title: "seconds", rangemode: "tozero"},
    });
  }
  function drawWithin(names) {
    const bounds = run.bounds_s.map(String);
    legend("within", names.map(name => [name, colourOf(name)]));
    return plot("within", names.filter(name => run.points[name]).map(name => ({
      type: "scatter", mode: "lines+markers", name: plain(name), hoverlabel: {namelength: -1},
      x: bounds, y: run.points[name].within, line: {color: colourOf(name), width: 2},
      marker: {size: 5},
    })), {
      xaxis: {title: "seconds", type: "category"},
      yaxis: {title: "share of messages", range: [0, 1.03], tickformat: ".0%"},
    });
  }
  const means = row => row.energy_per_message[0] || null;
  function stacked(name, parts, rows, value, title, hover) {
    const used = parts.filter(([part]) => rows.some(row => value(row, part) > 0));
    legend(name, used.map(([, label, background]) => [label, background]));
    const most = Math.max(1, ...rows.map(row => lines(row.configuration).length));
    $("plot-" + name).style.height = 70 + rows.length * Math.max(36, 10 + 16 * most) + "px";
    return plot(name, used.map(([part, label, background]) => ({
      type: "bar", orientation: "h", name: label, y: rows.map(row => folded(row.configuration)),
      x: rows.map(row => value(row, part)), marker: {color: background}, hovertemplate: hover,
      width: 0.6,
    })), {
      barmode: "stack", yaxis: {type: "category", autorange: "reversed"},
      xaxis: {title, rangemode: "tozero"},
    });
  }
  function draw() {
    const rows = run.configurations;
    const names = rows.map(row => row.configuration);
    const energy = rows.filter(row => means(row));
    const kinds = [...new Set(energy.map(row => means(row).kind))].sort();
    const other = energy.filter(row => means(row).kind === kinds[0]);
    text("note-energy", kinds.length
      ? "Mean over all messages, " + kinds[0] + ": " +
        [...new Set(other.map(row => means(row).model))].join(", ") + "."
      : "No energy is known yet.");
    text("note-bytes", "Mean over all messages sent, outer IP header included.");
    return Promise.all([
      drawLatency(names),
      drawWithin(names),
      stacked("bytes", words.layers, rows,
        (row, layer) => row.uplink_bytes_per_message.by_layer[layer] || 0, "bytes",
        "%{x:.1f} bytes"),
      stacked("energy", words.states, other,
        (row, state) => means(row)[state + "_j"], "joules", "%{x:.3f} J"),
    ]);
  }

  function badges() {
    const one = (label, name) => h("span", classed("badge" + (name ? " " + name : "")), label);
    const status = run.status === "running" ? "" : run.status === "complete" ? "good" : "bad";
    const kinds = [...new Set(run.configurations.flatMap(row =>
      row.energy_per_message.map(found => found.kind)))].sort();
    const times = {
      virtual: "modelled in virtual time", scaled: "modelled time at scale " + run.run.time_scale,
    };
    $("badges").replaceChildren(...[
      one(run.status + (run.stopped ? ": " + run.stopped : ""), status),
      run.run.origin ? one(run.run.origin + " module", run.run.origin === "real" ? "" : "warn")
        : null,
      times[run.run.time] ? one(times[run.run.time], "warn") : null,
      kinds.length ? one("energy " + kinds.join(" / "), kinds.includes("estimated") ? "warn" : "")
        : null,
    ].filter(badge => badge));
  }

  function show() {
    const said = run.module;
    const name = [said.manufacturer, said.model].filter(part => part).join(" ");
    text("eyebrow", "BEST testbed · live · run " + run.run.name);
    text("title", (name || run.run.module || "A module") +
      (run.run.bench ? " on " + run.run.bench : ""));
    text("what", [
      said.firmware ? "Firmware " + said.firmware + "." : "",
      run.run.traffic ? "Traffic " + run.run.traffic + "." : "",
      run.run.cells ? run.run.cells + " cells, shown by configuration." : "",
      "Seed " + run.run.seed + ".",
    ].filter(part => part).join(" "));
    badges();
    text("progress-value", run.done + " of " + run.planned);
    $("bar").value = run.planned ? Math.min(run.done / run.planned, 1) : 0;
    text("progress-more", "run's clock " + clock(run.at_s));
    text("phase-value", run.phase || BREAK);
    text("phase-more", run.doing);
    const ecl = run.radio.ecl, rsrp = run.radio.rsrp_dbm;
    text("radio-value", ecl === undefined ? BREAK : "ECL " + ecl);
    text("radio-more", rsrp === undefined ? "no report yet" : "RSRP " + rsrp + " dBm");
    const unanswered = run.configurations.reduce((sum, row) => sum + row.lost + row.failed, 0);
    const messages = run.configurations.reduce((sum, row) => sum + row.messages, 0);
    text("unanswered-value", String(unanswered));
    $("unanswered-value").className = unanswered ? "bad" : "";
    text("unanswered-more", messages ? (100 * unanswered / messages).toFixed(1) + " %" : "");
    text("faults-value", String(run.fault_count));
    $("faults-value").className = run.fault_count ? "bad" : "";
    const rekeyings = run.configurations.reduce((sum, row) =>
      sum + (row.session && row.session.rekeyings || 0), 0);
    text("faults-more", rekeyings + (rekeyings === 1 ? " re-keying" : " re-keyings"));
    table("configurations",
      ["configuration", "n", "lost", "latency median", "95 %", "bytes up", "energy"],
      run.configurations.map(row => [
        h("td", swatch(colourOf(row.configuration)), row.configuration), String(row.messages),
        bad(String(row.lost + row.failed), row.lost + row.failed),
        quantile(row.latency.median), quantile(row.latency.p95),
        row.uplink_bytes_per_message.messages ? octets(row.uplink_bytes_per_message.total) : BREAK,
        joules(means(row) && means(row).total_j),
      ]));
    table("last", ["configuration", "outcome", "latency", "bytes up", "energy", "at", "message"],
      run.last.slice().reverse().map(one => [
        one.configuration,
        bad(one.outcome + (one.reason ? ": " + one.reason : ""), one.outcome !== "answered"),
        seconds(one.latency_s), octets(one.uplink_bytes), joules(one.energy_j),
        clock(one.submitted_at_s), one.message + (one.warm_up ? " (warm-up)" : ""),
      ]));
    $("fault-section").hidden = !run.fault_count;
    table("fault-list", ["configuration", "fault", "at", "away"],
      run.faults.slice().reverse().map(one => [
        one.configuration || BREAK, one.fault, clock(one.noticed_at_s),
        one.recovered_s === null ? "did not come back" : seconds(one.recovered_s),
      ]));
  }

  const EVERY_MS = 1000, MOST_MS = 10000;
  let pause = EVERY_MS, timer = 0, failures = 0;
  function connection(said) {
    $("connection").hidden = !said;
    text("connection", said);
  }
  async function ask() {
    clearTimeout(timer);
    try {
      const since = run === null ? "" : "?since=" + run.version;
      const answer = await fetch("/api/run" + since, {cache: "no-store", redirect: "error"});
      if (answer.status === 401) { location.assign("/login"); return; }
      if (answer.status !== 200 && answer.status !== 204) throw new Error(answer.status);
      if (answer.status === 200) {
        run = await answer.json();
        show();
        await draw();
        root.dataset.drawn = String(run.version);
      }
      pause = EVERY_MS;
      failures = 0;
      connection("");
    } catch (error) {
      failures += 1;
      pause = Math.min(pause * 2, MOST_MS);
      connection(failures > 1 ? "No connection to the run: what stands here is " +
        "the last that was heard. The run may have ended." : "");
    }
    if (run !== null && run.status !== "running") {
      root.dataset.ended = "true";
      return;
    }
    timer = setTimeout(ask, pause);
  }
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) clearTimeout(timer);
    else if (run === null || run.status === "running") ask();
  });

  const modes = ["", "dark", "light"];
  const redraw = () => { if (run !== null) draw(); };
  $("theme").addEventListener("click", event => {
    const next = modes[(modes.indexOf(root.dataset.theme || "") + 1) % modes.length];
    if (next) root.dataset.theme = next; else delete root.dataset.theme;
    event.currentTarget.textContent = "Theme: " + (next || "auto");
    redraw();
  });
  dark.addEventListener("change", redraw);
  narrow.addEventListener("change", redraw);
  ask();
})();
"""
