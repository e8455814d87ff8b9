// The page comes alive: charts with a common cursor and zoom, a theme, and following a run. Without it the page is whole.
"use strict";
(() => {
  const root = document.documentElement;
  const byId = (id) => document.getElementById(id);
  const make = (tag, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };

  // What a person chose, kept over a redraw: per group the view, the zoom, and the lines that are hidden.
  const chosen = {};
  const choices = (group) => (chosen[group.id] ??= { view: "", zoom: null, hidden: new Set() });
  // By its name: while a run goes on, views come up.
  const viewOf = (group) => group.views.find((view) => view.name === choices(group).view) ?? group.views[0];
  let plots = [];

  // ---- Figures as people read them, as the program writes them.
  const thousands = (number) => Math.round(number).toLocaleString("en-US");
  const duration = (ms) => {
    if (ms === 0) return "0 ms";
    if (ms < 1) return `${Math.round(ms * 1000)} µs`;
    if (ms < 999.95) return `${ms.toFixed(1)} ms`;
    if (ms < 59995) return `${(ms / 1000).toFixed(2)} s`;
    const seconds = Math.max(60, Math.floor(ms / 1000));
    if (seconds < 3600) return `${Math.floor(seconds / 60)}m ${String(seconds % 60).padStart(2, "0")}s`;
    return `${Math.floor(seconds / 3600)}h ${String(Math.floor((seconds % 3600) / 60)).padStart(2, "0")}m`;
  };
  const bytes = (size) => {
    const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let unit = 0;
    for (; size >= 1023.95 && unit < units.length - 1; unit++) size /= 1024;
    return unit === 0 ? `${Math.round(size)} B` : `${size.toFixed(1)} ${units[unit]}`;
  };
  const rate = (number) => (number >= 100 ? thousands(number) : number.toFixed(1));
  const shown = {
    count: (value) => (Number.isInteger(value) ? thousands(value) : rate(value)),
    rate: (value) => `${rate(value)}/s`,
    bytes,
    milliseconds: duration,
    seconds: (value) => duration(value * 1000),
    iterations: thousands,
    percentiles: (value) => `${+((1 - 10 ** -value) * 100).toFixed(3)} %`,
  };

  const onScale = (figure) => figure.replace(/^([\d,]+)\.(\d*?)0+(?=\D|$)/, (_, whole, part) => (part ? `${whole}.${part}` : whole));

  // ---- One chart.
  const HEIGHT = 230;
  const FONT = "12px system-ui, sans-serif";
  const PERCENTS = ["0 %", "50 %", "90 %", "99 %", "99.9 %", "99.99 %"];
  // Lines are told apart by more than their colour.
  const DASHES = [[], [8, 4], [3, 4], [10, 4, 2, 4]];

  function draw(figure, group, chart, marks) {
    const live = figure.querySelector(".live");
    const choice = choices(group);
    const outputs = [];
    const legend = make("ul", { className: "legend" });
    legend.setAttribute("aria-label", `${chart.title}: lines`);
    const keys = chart.lines.map((line, index) => {
      const key = make("i", { className: `key s${(index % 8) + 1}` });
      const output = make("output");
      const button = make("button", { type: "button" }, key, make("span", { className: "name", textContent: line.name }), " ", output);
      const isShown = () => !choice.hidden.has(`${chart.id}/${line.name}`);
      button.setAttribute("aria-pressed", isShown());
      button.addEventListener("click", () => {
        choice.hidden[isShown() ? "add" : "delete"](`${chart.id}/${line.name}`);
        button.setAttribute("aria-pressed", isShown());
        plot.setData(values(), false);
        plot.setSeries(order.indexOf(index) + 1, { show: isShown() });
        rescale();
      });
      outputs.push(output);
      legend.append(make("li", {}, button));
      return key;
    });
    const canvas = make("div", { className: "canvas", tabIndex: 0 });
    canvas.setAttribute("role", "application");
    canvas.setAttribute("aria-roledescription", "chart");
    canvas.setAttribute("aria-label", `${live.dataset.words}. Left and right move along, plus and minus zoom, Escape shows all.`);
    live.replaceChildren(canvas, legend);
    const colour = (element) => getComputedStyle(element).color;
    const ink = colour(legend);
    const ground = getComputedStyle(document.body).backgroundColor;
    const faint = getComputedStyle(figure.querySelector(".grid") ?? figure).stroke;

    // Bars stand on each other: each is drawn up to the sum of those below it, and the highest first.
    const order = chart.stacked ? [...chart.lines.keys()].reverse() : [...chart.lines.keys()];
    const hides = (line) => choice.hidden.has(`${chart.id}/${line.name}`);
    function values() {
      const sum = group.x.map(() => 0);
      const sums = chart.lines.map((line) => !chart.stacked ? line.values :
        line.values.map((value, place) => (value == null || hides(line) ? null : (sum[place] += value))));
      return [group.x, ...order.map((index) => sums[index])];
    }
    const rescale = () => plot.setScale("x", limits(group));
    const axis = { stroke: ink, font: FONT, grid: { stroke: faint, width: 1 }, ticks: { stroke: faint, width: 1, size: 4 } };
    const bars = uPlot.paths.bars({ size: [1, Infinity, 1.5], align: 0 });
    const options = {
      width: Math.max(200, live.clientWidth),
      height: HEIGHT,
      legend: { show: false },
      scales: {
        x: { time: false, range: (_, min, max) => [min, max > min ? max : min + 1] },
        y: { range: (_, min, max) => [0, max > 0 ? max * 1.05 : 1] },
      },
      axes: [
        { ...axis, size: 34, space: 70, values: (_, values) => values.map((value) => (value == null ? "" : onScale(shown[group.axis](value)))),
          ...(group.axis === "percentiles" ? { splits: () => group.x.filter((x) => PERCENTS.includes(shown.percentiles(x))) } : {}),
          ...(group.axis === "iterations" ? { incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10000] } : {}) },
        { ...axis, size: 74, space: 34, values: (_, values) => values.map((value) => onScale(shown[chart.unit](value))),
          ...(chart.unit === "count" ? { incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9] } : {}),
          ...(chart.unit === "bytes" ? { incrs: [...Array(50).keys()].map((power) => 2 ** power) } : {}) },
      ],
      series: [{}, ...order.map((index) => ({
        label: chart.lines[index].name,
        show: !hides(chart.lines[index]),
        stroke: colour(keys[index]),
        width: 1.75,
        spanGaps: true,
        dash: DASHES[index % DASHES.length],
        points: { fill: ground, ...(chart.lines[index].values.filter((value) => value != null).length < 80 ? { show: true } : {}) },
        ...(chart.stacked ? { fill: colour(keys[index]), paths: bars, points: { show: false }, width: 0, dash: [] } : {}),
      }))],
      cursor: {
        sync: { key: group.id, setSeries: false },
        drag: { x: true, y: false, setScale: false },
        points: { size: 7, show: !chart.stacked },
        bind: { dblclick: () => () => zoom(group, null) },
      },
      hooks: {
        setSelect: [(plot) => {
          if (plot.select.width > 4) zoom(group, [plot.posToVal(plot.select.left, "x"), plot.posToVal(plot.select.left + plot.select.width, "x")]);
          if (plot.select.width > 0) plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        }],
        setCursor: [(plot) => {
          const place = plot.cursor.idx;
          outputs.forEach((output, index) => {
            const value = place == null ? null : chart.lines[index].values[place];
            output.textContent = value == null ? "" : shown[chart.unit](value);
          });
          if (document.activeElement === canvas && place != null) say(group, chart, place);
        }],
        draw: [(plot) => {
          const { ctx, bbox } = plot;
          ctx.save();
          ctx.strokeStyle = ctx.fillStyle = ink;
          ctx.globalAlpha = 0.7;
          ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
          ctx.setLineDash([3 * devicePixelRatio, 3 * devicePixelRatio]);
          for (const mark of marks) {
            const x = plot.valToPos(mark.at, "x", true);
            if (x < bbox.left || x > bbox.left + bbox.width) continue;
            ctx.beginPath();
            ctx.moveTo(x, bbox.top);
            ctx.lineTo(x, bbox.top + bbox.height);
            ctx.stroke();
            const isRight = x > bbox.left + bbox.width / 2;
            ctx.textAlign = isRight ? "right" : "left";
            ctx.fillText(mark.label, x + (isRight ? -5 : 5) * devicePixelRatio, bbox.top + 11 * devicePixelRatio);
          }
          ctx.restore();
        }],
      },
    };
    const plot = new uPlot(options, values(), canvas);
    canvas.addEventListener("keydown", (event) => steer(event, group, plot));
    rescale();
    plots.push({ plot, group, chart, live });
  }

  // ---- Zoom and cursor, the same for all charts of a group.
  const whole = ({ axis, x }) => ({
    min: axis === "iterations" ? x[0] : 0,
    // Of time, the places are the middles of buckets.
    max: x[x.length - 1] + (axis === "seconds" ? x[0] : 0),
  });
  const limits = (group) => {
    const zoomed = choices(group).zoom;
    return zoomed ? { min: zoomed[0], max: zoomed[1] } : whole(group);
  };
  function zoom(group, range) {
    const all = whole(group);
    if (range) {
      const least = (all.max - all.min) / Math.max(group.x.length, 2) * 2;
      const wide = Math.max(range[1] - range[0], least);
      const from = Math.min(Math.max(range[0], all.min), all.max - wide);
      range = wide >= all.max - all.min ? null : [from, from + wide];
    }
    choices(group).zoom = range;
    for (const one of plots) if (one.group === group) one.plot.setScale("x", limits(group));
  }
  function zoomBy(group, factor, shift = 0) {
    const { min, max } = limits(group);
    const middle = (min + max) / 2 + (max - min) * shift;
    zoom(group, [middle - ((max - min) * factor) / 2, middle + ((max - min) * factor) / 2]);
  }
  function steer(event, group, plot) {
    const { min, max } = limits(group);
    const inside = group.x.map((x, place) => place).filter((place) => group.x[place] >= min && group.x[place] <= max);
    const at = inside.indexOf(plot.cursor.idx);
    const moves = { ArrowLeft: Math.max(at - 1, 0), ArrowRight: Math.min(at + 1, inside.length - 1), Home: 0, End: inside.length - 1 };
    const zooms = { "+": () => zoomBy(group, 0.5), "=": () => zoomBy(group, 0.5), "-": () => zoomBy(group, 2), Escape: () => zoom(group, null) };
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in moves) plot.setCursor({ left: plot.valToPos(group.x[inside[moves[event.key]]], "x"), top: 1 });
    else if (event.key in zooms) zooms[event.key]();
    else return;
    event.preventDefault();
  }
  const say = (group, chart, place) => {
    const values = chart.lines.filter((line) => line.values[place] != null).map((line) => `${line.name} ${shown[chart.unit](line.values[place])}`);
    byId("status").textContent = `${chart.title} at ${shown[group.axis](group.x[place])}: ${values.join(", ") || "nothing"}`;
  };

  // ---- The whole page.
  function tools(place, group) {
    const bar = place.querySelector(".tools");
    const button = (label, name, act) => {
      const made = make("button", { type: "button", className: "button", textContent: label, onclick: act });
      if (name) made.setAttribute("aria-label", name);
      return made;
    };
    const views = group.views.length < 2 ? [] : group.views.map((view, index) => {
      const made = button(view.name, "", () => { choices(group).view = view.name; choices(group).hidden.clear(); render(); byId(`group-${group.id}`).querySelectorAll(".tools .button")[index].focus(); });
      made.setAttribute("aria-pressed", view === viewOf(group));
      return made;
    });
    bar.replaceChildren(...views, make("span", { className: "gap" }),
      button("−", "Zoom out", () => zoomBy(group, 2)), button("+", "Zoom in", () => zoomBy(group, 0.5)),
      button("←", "Earlier", () => zoomBy(group, 1, -0.25)), button("→", "Later", () => zoomBy(group, 1, 0.25)),
      button("Show all", "", () => zoom(group, null)));
    bar.hidden = false;
  }
  function render() {
    for (const { plot } of plots) plot.destroy();
    plots = [];
    for (const group of data.groups) {
      const place = byId(`group-${group.id}`);
      if (!place) continue;
      tools(place, group);
      const view = viewOf(group);
      const note = place.querySelector(".note");
      note.textContent = view.note;
      note.hidden = !view.note;
      for (const figure of place.querySelectorAll(".chart")) {
        const chart = view.charts.find((chart) => chart.id === figure.dataset.chart);
        figure.querySelector("h3").textContent = chart.title;
        draw(figure, group, chart, group.marks);
      }
    }
  }
  const read = (from) => JSON.parse(from.getElementById("data").textContent);
  let data = read(document);

  // ---- Light and dark.
  const theme = byId("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const label = () => { theme.textContent = isDark() ? "Light" : "Dark"; theme.setAttribute("aria-label", `Use ${isDark() ? "light" : "dark"} colours`); };
  const remember = (value) => { try { value ? localStorage.setItem("stress-theme", value) : (root.dataset.theme = localStorage.getItem("stress-theme") ?? ""); } catch { /* not everywhere */ } };
  remember();
  if (!root.dataset.theme) delete root.dataset.theme;
  theme.hidden = false;
  label();
  theme.addEventListener("click", () => { root.dataset.theme = isDark() ? "light" : "dark"; remember(root.dataset.theme); label(); render(); });
  system.addEventListener("change", () => { label(); render(); });

  // ---- Paper shows everything.
  addEventListener("beforeprint", () => document.querySelectorAll("details:not([open])").forEach((details) => { details.open = true; details.dataset.folded = ""; }));
  addEventListener("afterprint", () => document.querySelectorAll("details[data-folded]").forEach((details) => { details.open = false; delete details.dataset.folded; }));

  // ---- Following a run: the page asks for itself again, and keeps what a person looks at.
  let version = null;
  async function follow() {
    try {
      const answer = await fetch(location.pathname, { headers: version ? { "If-None-Match": version } : {}, cache: "no-store" });
      if (answer.status === 200) {
        version = answer.headers.get("ETag");
        update(new DOMParser().parseFromString(await answer.text(), "text/html"));
      }
      byId("status").textContent = data.follows ? "The run goes on; this page follows it." : "The run has ended.";
    } catch {
      byId("status").textContent = "The page is not served any more; this is what it last knew.";
      return;
    }
    if (data.follows) setTimeout(follow, 1000);
  }
  function update(page) {
    const folds = new Map([...document.querySelectorAll("details[id]")].map((details) => [details.id, details.open]));
    const focused = document.activeElement?.id;
    const { scrollX: left, scrollY: top } = window;
    for (const { plot } of plots) plot.destroy();
    plots = [];
    byId("content").replaceWith(page.getElementById("content"));
    byId("data").textContent = page.getElementById("data").textContent;
    document.querySelector(".top nav").replaceWith(page.querySelector(".top nav"));
    document.title = page.title;
    data = read(document);
    for (const [id, open] of folds) if (byId(id)) byId(id).open = open;
    render();
    scrollTo({ left, top, behavior: "instant" });
    if (focused) byId(focused)?.focus({ preventScroll: true });
  }

  // ---- Begin.
  root.classList.add("scripted");
  render();
  let resizing;
  addEventListener("resize", () => {
    clearTimeout(resizing);
    resizing = setTimeout(() => { for (const { plot, live } of plots) plot.setSize({ width: Math.max(200, live.clientWidth), height: HEIGHT }); }, 50);
  });
  if (data.follows) follow();
  root.dataset.ready = "";
})();
