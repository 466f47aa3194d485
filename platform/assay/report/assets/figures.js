// What families and studies add to the charts.

// A property of what was generated: a step line a model, over the shape of the real data.
function drawDistributions(figure, data, choice) {
  const panel = data.distributions[Number(choice.place)];
  const step = ({ edges, within, known }) => {
    const shares = within.map((count) => count / Math.max(known, 1));
    return { type: "scatter", mode: "lines", x: edges, y: [...shares, shares.at(-1)] };
  };
  const real = {
    ...step(panel.reference), name: "real data", fill: "tozeroy", hoverinfo: "skip",
    line: { shape: "hv", width: 1.5, color: token("--quiet") },
  };
  const lines = panel.lines.map((line, number) => ({
    ...step(line), name: line.name, visible: number < SHOWN_AT_FIRST ? true : "legendonly",
    hovertemplate: "%{y:.1%} from %{x:.4s}<extra>%{fullData.name}</extra>",
    line: { shape: "hv", color: colour(line.style), dash: DASHES[line.style[1] % 5], width: 1.8 },
  }));
  const across = [{ title: panel.title, x: axis(panel.title, {}) }];
  show(figure, [real, ...lines], across, axis("share", { tickformat: ".0%" }), lines.length + 1);
}

// A figure over the length of training, and over what a sample costs: a line a trained model.
function drawQuality(figure, data, choice) {
  const { metrics, axes, budgets, steps } = data.quality;
  const metric = metrics[choice.metric];
  const panels = [
    { title: "Trained for longer", lines: budgets, by: choice.x, name: axes[choice.x] },
    { title: "Sampled in more steps", lines: steps, by: "evaluations",
      name: "evaluations of the network a sample" },
  ].filter(({ lines }) => lines.length);
  const named = new Set();
  const traces = panels.flatMap(({ lines, by, name }, place) => lines.flatMap((line) => {
    const known = line.values[choice.metric].flatMap((ends, k) =>
      (ends ? [[line.x[by][k], ...ends]] : []));
    if (!known.length) return [];
    const first = !named.has(line.name);
    named.add(line.name);
    return [{
      type: "scatter", mode: "lines+markers", name: line.name, legendgroup: line.name,
      showlegend: first, xaxis: `x${suffixOf(place)}`, yaxis: `y${suffixOf(place)}`,
      x: known.map(([x]) => x), y: known.map(([, value]) => value),
      error_y: { type: "data", symmetric: false, thickness: 1.5, width: 4,
                 array: known.map(([, value, , high]) => high - value),
                 arrayminus: known.map(([, value, low]) => value - low) },
      hovertemplate: `<b>%{fullData.name}</b><br>%{y:.4g} at %{x:.4s} ${name}<extra></extra>`,
      line: { color: colour(line.style), dash: DASHES[line.style[1] % 5], width: 1.8 },
      marker: { symbol: SHAPES[line.style[1] % 5], size: 8 },
    }];
  }));
  const across = panels.map(({ title, lines, by, name }) => ({
    title, x: logarithmic(name, lines.flatMap((line) => line.x[by])),
  }));
  const y = axis(metric.title, { tickformat: metric.fraction ? ".0%" : "" });
  show(figure, traces, across, y, named.size);
}
