// Charts by Plotly, drawn when they come near the screen and again when the style changes.

const page = JSON.parse(document.getElementById("data").textContent);
const SHAPES = ["circle", "square", "diamond", "triangle-up", "cross"];
const DASHES = ["solid", "dash", "dot", "dashdot", "longdash"];
const LEGEND_AT_MOST = 40;
const SHOWN_AT_FIRST = 36;
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

// Two panels: side by side, or one above the other where there is no room.
function panels(width, left, right, y, leftTitle, rightTitle) {
  const stacked = width < 700;
  const title = (text, x, top) => ({
    text: `<b>${text}</b>`, showarrow: false, xref: "paper", yref: "paper",
    x, y: top, xanchor: "left", yanchor: "bottom",
  });
  if (!rightTitle) {
    return { xaxis: left, yaxis: y, annotations: [title(leftTitle, 0, 1.01)] };
  }
  if (stacked) {
    return {
      xaxis: { ...left, anchor: "y" }, yaxis: { ...y, domain: [0.58, 1] },
      xaxis2: { ...right, anchor: "y2" }, yaxis2: { ...y, domain: [0, 0.42] },
      annotations: [title(leftTitle, 0, 1.01), title(rightTitle, 0, 0.43)],
    };
  }
  return {
    xaxis: { ...left, domain: [0, 0.485] }, yaxis: y,
    xaxis2: { ...right, domain: [0.515, 1], anchor: "y2" },
    yaxis2: { ...y, anchor: "x2", matches: "y", showticklabels: false, title: undefined },
    annotations: [title(leftTitle, 0, 1.01), title(rightTitle, 0.515, 1.01)],
  };
}

function height(width, entries) {
  const perLine = width < 600 ? 1 : Math.max(1, Math.floor((width - 80) / 250));
  return (width < 700 ? 640 : 400) + 22 * Math.ceil(Math.min(entries, LEGEND_AT_MOST) / perLine);
}

function show(figure, traces, more, entries) {
  const width = figure.clientWidth;
  const size = height(width, entries);
  const legend = { ...layout(width, {}).legend, y: -60 / (width < 700 ? 560 : 320) };
  Plotly.react(figure, traces, layout(width, { height: size, legend, ...more }), {
    displaylogo: false, responsive: true,
    modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d"],
    toImageButtonOptions: { format: "svg", filename: figure.id },
  });
}

// The models that no other beats at their cost or below.
function frontier(points, metric, cost, higher) {
  const sorted = points
    .filter((point) => metric in point.values)
    .sort((a, b) => a[cost] - b[cost]);
  let best = higher ? -Infinity : Infinity;
  return sorted.filter((point) => {
    const value = point.values[metric][0];
    const better = higher ? value > best : value < best;
    if (better) best = value;
    return better;
  });
}

function costTraces(data, metric, cost, suffix) {
  const points = data.points.filter((point) => metric.key in point.values);
  const front = frontier(points, metric.key, cost, metric.higher);
  if (!points.length) return [];
  const costs = points.map((point) => point[cost]);
  // Around a single cost, so that the lines have a length and the axis a scale.
  const room = greatest(costs) > least(costs) ? 0 : greatest(costs) / 2;
  const [start, end] = [least(costs) - room, greatest(costs) + room];
  const place = { xaxis: `x${suffix}`, yaxis: `y${suffix}`, showlegend: suffix === "" };
  const lines = [{
    ...place, type: "scatter", mode: "lines", name: "not beaten at this cost",
    legendgroup: "frontier", hoverinfo: "skip",
    x: [...front.map((point) => point[cost]), end],
    y: [...front.map((point) => point.values[metric.key][0]),
        front.at(-1)?.values[metric.key][0]],
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
      x: [point[cost]], y: [value], text: [text],
      hovertemplate: `<b>%{fullData.name}</b><br>%{text}<br>%{x:.3s} ${cost === "flops" ? "FLOP" : "s"}<extra></extra>`,
      error_y: { type: "data", symmetric: false, array: [high - value],
                 arrayminus: [value - low], thickness: 1.5, width: 4 },
      marker: { size: 11, color: colour(point.style), symbol: SHAPES[point.style[1] % 5],
                line: { width: 1, color: token("--panel") } },
    };
  });
  return [...lines, ...marks];
}

function drawTradeoff(figure, data, choice) {
  const metric = data.metrics.find((found) => found.key === choice.metric);
  const traces = [...costTraces(data, metric, "flops", ""),
                  ...costTraces(data, metric, "seconds", "2")];
  const y = axis(metric.title, { tickformat: metric.fraction ? ".0%" : "" });
  const costs = (cost) => data.points.map((point) => point[cost]);
  show(figure, traces, panels(
    figure.clientWidth,
    logarithmic("training FLOPs (measured)", costs("flops")),
    logarithmic("training seconds", costs("seconds")), y,
    `${metric.title} for FLOPs`, `${metric.title} for time`,
  ), data.points.length + 2);
}

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
  const traces = splits.flatMap((split, k) => curveTraces(data, choice, split, k ? "2" : ""));
  const name = choice.quantity.replaceAll("_", " ");
  const values = traces.flatMap((trace) => trace.y);
  const positive = values.every((value) => value > 0);
  const y = choice.log && positive ? logarithmic(name, values)
    : axis(choice.log ? `${name} (not positive: linear)` : name, {});
  const x = () => axis(names[choice.x], { exponentformat: "SI" });
  show(figure, traces, panels(
    figure.clientWidth, x(), x(), y, titles[splits[0]] ?? "", titles[splits[1]],
  ), data.curves.length);
}

function draw(figure) {
  const choice = {};
  for (const control of document.querySelectorAll(`[data-for="${figure.id}"]`)) {
    choice[control.dataset.choice] =
      control.type === "checkbox" ? control.checked : control.value;
  }
  const data = page.charts[figure.dataset.suite];
  (figure.dataset.chart === "tradeoff" ? drawTradeoff : drawCurves)(figure, data, choice);
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

const redraw = () => drawn.forEach(draw);
dark.addEventListener("change", redraw);
let width = innerWidth;
window.addEventListener("resize", () => {
  if ((innerWidth < 900) !== (width < 900)) redraw();
  width = innerWidth;
});
window.addEventListener("beforeprint", () => {
  document.querySelectorAll("figure.chart").forEach(draw);
});
