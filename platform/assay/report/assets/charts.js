// Charts by Plotly, drawn when they come near the screen and again when the style changes.

const page = JSON.parse(document.getElementById("data").textContent);
const SHAPES = ["circle", "square", "diamond", "triangle-up", "cross"];
const DASHES = ["solid", "dash", "dot", "dashdot", "longdash"];
const LEGEND_AT_MOST = 40;
const SHOWN_AT_FIRST = 36;
const GAP = 100; // pixels between panels, for an axis and a title
const dark = matchMedia("(prefers-color-scheme: dark)");
const drawn = new Set();

function token(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function colour(style) {
  return token(`--c${style[0] % 8}`);
}

function axis(title, more) {
  return {
    title: { text: title, standoff: 10, font: { size: 13 } },
    gridcolor: token("--line"),
    linecolor: token("--line-strong"),
    zeroline: false,
    automargin: true,
    ...more,
  };
}

// A logarithmic axis with readable labels; a linear one where the values hardly differ.
function logarithmic(title, values) {
  const positive = values.filter((value) => value > 0);
  if (!positive.length) return axis(title, {});
  const [low, high] = [Math.log10(least(positive)), Math.log10(greatest(positive))];
  const span = high - low;
  if (span < 0.3) return axis(title, { exponentformat: "SI" });
  const steps = span > 3 ? [1] : span > 0.8 ? [1, 2, 5] : [1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9];
  const places = [];
  for (let decade = Math.floor(low) - 1; decade <= Math.ceil(high); decade++) {
    places.push(...steps.map((step) => Number(`${step}e${decade}`)));
  }
  return axis(title, { type: "log", tickvals: places, ticktext: places.map(short) });
}

// Math.min of many thousand arguments overflows the stack.
const least = (values) => values.reduce((a, b) => Math.min(a, b));
const greatest = (values) => values.reduce((a, b) => Math.max(a, b));

const PREFIXES = [[1e18, "E"], [1e15, "P"], [1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]];

function short(value) {
  const [scale, prefix] = PREFIXES.find(([least]) => value >= least * 0.9999) ?? [1, ""];
  return `${Number((value / scale).toPrecision(3))}${prefix && ` ${prefix}`}`;
}

function layout(width, more) {
  return {
    font: { family: token("--font"), size: 13, color: token("--text") },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    modebar: { bgcolor: "rgba(0,0,0,0)", color: token("--quiet"),
               activecolor: token("--accent"), orientation: "h" },
    margin: { l: 60, r: 14, t: 30, b: 50 },
    dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom",
    hoverlabel: { bgcolor: token("--raised"), bordercolor: token("--line-strong"),
                  font: { family: token("--font"), size: 13, color: token("--text") } },
    legend: { orientation: "h", y: -0.2, yanchor: "top", x: 0, itemwidth: 30,
              entrywidth: width < 600 ? 0.99 : 250,
              entrywidthmode: width < 600 ? "fraction" : "pixels" },
    ...more,
  };
}

// Panels of one quantity: two in a line, or one below the other where there is no room.
function panels(width, across, y) {
  const columns = width < 700 ? 1 : Math.min(2, across.length);
  const lines = Math.ceil(across.length / columns);
  const gap = GAP / plotHeight(width, across.length);
  const tall = (1 - gap * (lines - 1)) / lines;
  const found = { annotations: [] };
  across.forEach(({ x, title }, place) => {
    const [line, column] = [Math.floor(place / columns), place % columns];
    const suffix = place ? place + 1 : "";
    const start = column * 0.515;
    const top = 1 - line * (tall + gap);
    const domain = columns === 1 ? [0, 1] : [start, start + 0.485];
    found[`xaxis${suffix}`] = { ...x, domain, anchor: `y${suffix}` };
    found[`yaxis${suffix}`] = {
      ...y, domain: [Math.max(0, top - tall), top], anchor: `x${suffix}`,
      ...(place && { matches: "y" }),
      ...(column && { showticklabels: false, title: undefined }),
    };
    found.annotations.push({
      text: `<b>${title}</b>`, showarrow: false, xref: "paper", yref: "paper",
      x: domain[0], y: top + 0.01, xanchor: "left", yanchor: "bottom",
    });
  });
  return found;
}

function plotHeight(width, panelCount) {
  const count = Math.max(1, panelCount);
  const lines = width < 700 ? count : Math.ceil(count / 2);
  return lines * 320 + (lines - 1) * GAP;
}

function show(figure, traces, across, y, entries) {
  const width = figure.clientWidth;
  const perLine = width < 600 ? 1 : Math.max(1, Math.floor((width - 80) / 250));
  const legendHeight = 22 * Math.ceil(Math.min(entries, LEGEND_AT_MOST) / perLine);
  const plot = plotHeight(width, across.length);
  const legend = { ...layout(width, {}).legend, y: -60 / plot };
  const size = plot + 80 + legendHeight;
  const more = { height: size, legend, ...panels(width, across, y) };
  Plotly.react(figure, traces, layout(width, more), {
    displaylogo: false, responsive: true,
    modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d"],
    toImageButtonOptions: { format: "svg", filename: figure.id },
  });
}

function costTraces(data, metric, cost, suffix) {
  const measured = data.points.filter((point) => metric.key in point.values);
  const [points, floors] = [false, true].map((is) => measured.filter(({ floor }) => floor === is));
  const front = metric.fronts[cost].map((place) => data.points[place]);
  if (!measured.length) return [];
  const costs = points.length ? points.map((point) => point.costs[cost]) : [1];
  // Around a single cost, so that the lines have a length and the axis a scale.
  const room = greatest(costs) > least(costs) ? 0 : greatest(costs) / 2;
  const [start, end] = [least(costs) - room, greatest(costs) + room];
  const place = { xaxis: `x${suffix}`, yaxis: `y${suffix}`, showlegend: suffix === "" };
  const lines = !front.length ? [] : [{
    ...place, type: "scatter", mode: "lines", name: "not beaten at this cost",
    legendgroup: "frontier", hoverinfo: "skip",
    x: [...front.map((point) => point.costs[cost]), end],
    y: [...front.map((point) => point.values[metric.key][0]),
        front.at(-1).values[metric.key][0]],
    line: { shape: "hv", dash: "dot", width: 1.5, color: token("--quiet") },
  }];
  if (metric.reference) {
    lines.push({
      ...place, type: "scatter", mode: "lines", name: data.reference, legendgroup: "reference",
      x: [start, end], y: [metric.reference[0], metric.reference[0]],
      text: [metric.reference[3], metric.reference[3]],
      hovertemplate: "<b>%{fullData.name}</b><br>%{text}<extra></extra>",
      line: { dash: "dash", width: 1.5, color: token("--text") },
    });
  }
  const marks = points.map((point) => {
    const [value, low, high, text] = point.values[metric.key];
    return {
      ...place, type: "scatter", mode: "markers", name: point.name, legendgroup: point.name,
      showlegend: suffix === "" && points.length <= LEGEND_AT_MOST,
      x: [point.costs[cost]], y: [value], text: [text],
      hovertemplate: `<b>%{fullData.name}</b><br>%{text}<br>%{x:.3s} ${data.costs[cost]}<extra></extra>`,
      error_y: { type: "data", symmetric: false, array: [high - value],
                 arrayminus: [value - low], thickness: 1.5, width: 4 },
      marker: { size: 11, color: colour(point.style), symbol: SHAPES[point.style[1] % 5],
                line: { width: 1, color: token("--panel") } },
    };
  });
  // What was not trained has no cost to stand at: a line across.
  const across = floors.map((point) => {
    const [value, , , text] = point.values[metric.key];
    return {
      ...place, type: "scatter", mode: "lines", name: `${point.name}, a floor`,
      legendgroup: point.name, x: [start, end], y: [value, value], text: [text, text],
      hovertemplate: "<b>%{fullData.name}</b><br>%{text}<extra></extra>",
      line: { dash: "longdashdot", width: 1.5, color: colour(point.style) },
    };
  });
  return [...lines, ...marks, ...across];
}

function drawTradeoff(figure, data, choice) {
  const metric = data.metrics.find((found) => found.key === choice.metric);
  const costs = Object.keys(data.costs);
  const traces = costs.flatMap((cost, place) => costTraces(data, metric, cost, suffixOf(place)));
  const y = axis(metric.title, { tickformat: metric.fraction ? ".0%" : "" });
  const across = costs.map((cost) => ({
    title: `${metric.title} for ${data.costs[cost]}`,
    x: logarithmic(data.costs[cost], data.points.filter(({ floor }) => !floor)
      .map((point) => point.costs[cost])),
  }));
  show(figure, traces, across, y, data.points.length + 2);
}

const suffixOf = (place) => (place ? String(place + 1) : "");

function curveTraces(data, choice, split, suffix) {
  return data.curves.flatMap((curve, number) => {
    const found = curve.series[`${split}/${choice.quantity}`];
    const x = curve.x[choice.x];
    if (!found || !x) return [];
    const [places, values] = found;
    return [{
      type: "scatter", mode: split === "val" ? "lines+markers" : "lines",
      name: curve.name, legendgroup: curve.name,
      xaxis: `x${suffix}`, yaxis: `y${suffix}`,
      showlegend: suffix === "", visible: number < SHOWN_AT_FIRST ? true : "legendonly",
      x: places ? places.map((k) => x[k]) : x, y: values,
      hovertemplate: "%{y:.4g} at %{x:.4s}<extra>%{fullData.name}</extra>",
      line: { color: colour(curve.style), dash: DASHES[curve.style[1] % 5], width: 1.8 },
      marker: { symbol: SHAPES[curve.style[1] % 5], size: 7 },
    }];
  });
}

function drawCurves(figure, data, choice) {
  const splits = ["train", "val"].filter((split) =>
    data.curves.some((curve) => `${split}/${choice.quantity}` in curve.series));
  const titles = { train: "Training", val: "Validation" };
  const names = { samples: "training samples", flops: "training FLOPs", seconds: "seconds" };
  const traces = splits.flatMap((split, k) => curveTraces(data, choice, split, suffixOf(k)));
  const name = choice.quantity.replaceAll("_", " ");
  const values = traces.flatMap((trace) => trace.y);
  const positive = values.every((value) => value > 0);
  const y = choice.log && positive ? logarithmic(name, values)
    : axis(choice.log ? `${name} (not positive: linear)` : name, {});
  const across = splits.map((split) => ({
    title: titles[split], x: axis(names[choice.x], { exponentformat: "SI" }),
  }));
  show(figure, traces, across, y, data.curves.length);
}

// Effects of the grid's two axes, one panel an axis: a level a line, with its interval.
function drawEffects(figure, data, choice) {
  const found = data.effects[choice.metric];
  const traces = found.panels.map((panel, place) => ({
    type: "scatter", mode: "markers", showlegend: false,
    xaxis: `x${suffixOf(place)}`, yaxis: `y${suffixOf(place)}`,
    x: panel.levels.map((level) => level.replaceAll("_", " ")),
    y: panel.values.map(([value]) => value),
    error_y: { type: "data", symmetric: false, thickness: 1.5, width: 5, color: token("--text"),
               array: panel.values.map(([value, , high]) => high - value),
               arrayminus: panel.values.map(([value, low]) => value - low) },
    hovertemplate: "<b>%{x}</b><br>%{y:+.3g}<extra></extra>",
    marker: { size: 11, color: token("--text") },
  }));
  const y = axis(`against the mean, ${found.unit}`,
                 { zeroline: true, zerolinecolor: token("--quiet"), zerolinewidth: 1 });
  const across = found.panels.map(({ title, levels }) => ({
    title, x: axis("", { type: "category", range: [-0.6, levels.length - 0.4] }),
  }));
  show(figure, traces, across, y, 0);
}

const VARIABLES = { params: "parameters", samples: "training samples", flops: "training FLOPs" };

// A law: bands and curves, and the runs as marks, told apart by what the curve does not vary.
function drawLaw(figure, data) {
  const law = data.laws[Number(figure.dataset.place)];
  const bands = law.curves.flatMap((curve, k) => {
    const ink = token(`--c${k % 8}`);
    const known = curve.x.map((_, g) => g).filter((g) => curve.low[g] && curve.high[g]);
    const x = known.map((g) => curve.x[g]);
    const name = law.curves.length > 1 ? `law, ${curve.name}` : "law";
    const around = {
      x: [...x, ...x.toReversed()],
      y: [...known.map((g) => curve.high[g]), ...known.map((g) => curve.low[g]).toReversed()],
    };
    return [
      { type: "scatter", mode: "lines", ...around, fill: "toself", fillcolor: ink, opacity: 0.2,
        line: { width: 0 }, hoverinfo: "skip", showlegend: false, legendgroup: name },
      { type: "scatter", mode: "lines", x: curve.x, y: curve.value, name, legendgroup: name,
        line: { color: ink, width: 2 }, hovertemplate: "%{y:.4g} at %{x:.4s}<extra></extra>" },
    ];
  });
  const groups = Map.groupBy(law.runs, ([, , beside]) => beside);
  const marks = [...groups].sort(([a], [b]) => a - b).map(([beside, runs], k) => ({
    type: "scatter", mode: "markers", name: `${short(beside)} ${VARIABLES[law.beside]}`,
    x: runs.map(([x]) => x), y: runs.map(([, loss]) => loss),
    hovertemplate: "<b>%{fullData.name}</b><br>%{y:.4g} at %{x:.4s}<extra></extra>",
    marker: { size: 9, symbol: SHAPES[k % 5], color: token(`--c${(k + law.curves.length) % 8}`) },
  }));
  const y = logarithmic(law.loss, law.runs.map(([, loss]) => loss));
  const x = logarithmic(VARIABLES[law.along], law.runs.map(([value]) => value));
  show(figure, [...bands, ...marks], [{ title: law.title, x }], y, bands.length / 2 + marks.length);
}

// What another data set is worth over the number of the target's records: a line an arm.
function drawGains(figure, data, choice) {
  const panel = data.gains[Number(choice.place)];
  const traces = panel.lines.map(({ name, style, points }) => ({
    type: "scatter", mode: "lines+markers", name,
    x: points.map(([records]) => records), y: points.map(([, value]) => value),
    error_y: { type: "data", symmetric: false, thickness: 1.5, width: 4,
               array: points.map(([, value, , high]) => (high === null ? 0 : high - value)),
               arrayminus: points.map(([, value, low]) => (low === null ? 0 : value - low)) },
    hovertemplate: "<b>%{fullData.name}</b><br>%{y:.1f} % of %{x} records<extra></extra>",
    line: { color: colour(style), dash: DASHES[style[1] % 5], width: 1.8 },
    marker: { symbol: SHAPES[style[1] % 5], size: 9 },
  }));
  const across = [{ title: panel.title, x: axis(panel.records, { type: "category" }) }];
  show(figure, traces, across, axis("%", {}), traces.length);
}

const UNKNOWN = "unknown";

// Points of one look: a class, or those of which a number is not known.
function dots(map, graphs, places, name, marker) {
  return {
    type: "scatter", mode: "markers", name, showlegend: name !== "",
    x: places.map((k) => map.x[k]), y: places.map((k) => map.y[k]),
    text: places.map((k) => graphs.titles[k]),
    hovertemplate: "<b>%{text}</b><br>%{customdata}<extra></extra>",
    marker: { size: 8, line: { width: 1, color: token("--panel") }, ...marker },
  };
}

// Test pathways on two axes of a model's latents, coloured by what they are.
function drawLatents(figure, data, choice) {
  const map = data.latents.maps[Number(choice.place)];
  const graphs = data.latents.graphs[map.of];
  const by = data.latents.colours.find(({ key }) => key === choice.by);
  const values = graphs[by.key];
  const told = (places) => places.map((k) => `${by.title}: ${values[k] ?? UNKNOWN}`);
  const hollow = { color: "rgba(0,0,0,0)", line: { width: 1.2, color: token("--quiet") } };
  const groups = [...Map.groupBy(map.x.map((_, k) => k), (k) =>
    (by.numbers ? (values[k] === null ? UNKNOWN : "") : values[k]))];
  groups.sort(([a], [b]) => (a === UNKNOWN) - (b === UNKNOWN) || (a < b ? -1 : 1));
  const traces = groups.map(([name, places], k) => {
    const plain = { color: token(`--c${k % 8}`), symbol: SHAPES[k % 5] };
    const scale = {
      color: places.map((place) => values[place]), colorscale: "Viridis",
      colorbar: { title: { text: by.title }, thickness: 14, outlinewidth: 0 },
    };
    const look = name === UNKNOWN ? hollow : by.numbers ? scale : plain;
    return { ...dots(map, graphs, places, name, look), customdata: told(places) };
  });
  const percent = map.explained.map((share) => `${Math.round(100 * share)} % of the variance`);
  const across = [{ title: map.name, x: axis(`first axis, ${percent[0]}`, {}) }];
  show(figure, traces, across, axis(`second axis, ${percent[1]}`, {}), traces.length);
}

// What was said, of pairs or records, against what came true; a line a model.
function drawReliability(figure, data) {
  const { title, counted, share: held } = figure.dataset;
  const lines = data.reliability.map(({ name, style, points }, number) => ({
    type: "scatter", mode: "lines+markers", name,
    visible: number < SHOWN_AT_FIRST ? true : "legendonly",
    x: points.map(([said]) => said), y: points.map(([, share]) => share),
    text: points.map(([, , pairs]) => short(pairs)),
    hovertemplate:
      `<b>%{fullData.name}</b><br>%{y:.1%} of %{text} ${counted} at %{x:.1%}<extra></extra>`,
    line: { color: colour(style), dash: DASHES[style[1] % 5], width: 1.8 },
    marker: { symbol: SHAPES[style[1] % 5], size: 7 },
  }));
  const right = {
    type: "scatter", mode: "lines", name: "as sure as right", x: [0, 1], y: [0, 1],
    hoverinfo: "skip", line: { dash: "dash", width: 1.5, color: token("--text") },
  };
  const share = { tickformat: ".0%", range: [-0.02, 1.02] };
  const across = [{ title, x: axis("probability that was given", share) }];
  show(figure, [right, ...lines], across, axis(held, share), lines.length + 1);
}

const DRAWERS = {
  tradeoff: drawTradeoff, curves: drawCurves, effects: drawEffects, law: drawLaw,
  gains: drawGains, latents: drawLatents, reliability: drawReliability,
  distributions: drawDistributions, quality: drawQuality,
};

function draw(figure) {
  const choice = {};
  for (const control of document.querySelectorAll(`[data-for="${figure.id}"]`)) {
    choice[control.dataset.choice] =
      control.type === "checkbox" ? control.checked : control.value;
  }
  const data = page.charts[figure.dataset.suite];
  DRAWERS[figure.dataset.chart](figure, data, choice);
  drawn.add(figure);
}

const watcher = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (isIntersecting) {
      watcher.unobserve(target);
      draw(target);
    }
  }
}, { rootMargin: "800px" });

for (const figure of document.querySelectorAll("figure.chart")) watcher.observe(figure);

for (const control of document.querySelectorAll("[data-for]")) {
  control.addEventListener("change", () => draw(document.getElementById(control.dataset.for)));
}

// What is on a page that is not shown has no width: it waits until it is.
function redraw() {
  for (const figure of [...drawn]) {
    if (figure.clientWidth) {
      draw(figure);
    } else {
      drawn.delete(figure);
      watcher.observe(figure);
    }
  }
}
dark.addEventListener("change", redraw);
let width = innerWidth;
window.addEventListener("resize", () => {
  if ((innerWidth < 900) !== (width < 900)) redraw();
  width = innerWidth;
});
window.addEventListener("beforeprint", () => {
  document.querySelectorAll("figure.chart").forEach(draw);
});
