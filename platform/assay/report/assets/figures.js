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
