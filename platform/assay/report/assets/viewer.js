// One viewer for every sample: balls and sticks on a canvas, and the box of a crystal's cell, turned
// by mouse, touch or keys.

const viewer = {
  dialog: document.getElementById("viewer"),
  canvas: document.getElementById("viewer-canvas"),
  buttons: [...document.querySelectorAll("button.molecule")],
  place: 0, // of the open sample among the buttons
  turn: identity(), // rows of a rotation matrix
  zoom: 1,
  spinning: false,
  pointers: new Map(),
};
const STEP = Math.PI / 18;
const DISTANCE = 4; // of the eye, in radii of the sample
// Of a cell, between corners that are numbered by the vectors they are the sum of.
const EDGES = [...Array(8).keys()].flatMap((k) =>
  [1, 2, 4].filter((bit) => !(k & bit)).map((bit) => [k, k | bit]));

function identity() {
  return [[1, 0, 0], [0, 1, 0], [0, 0, 1]];
}

function rotate(about, angle) {
  const [c, s] = [Math.cos(angle), Math.sin(angle)];
  const by = about === "x" ? [[1, 0, 0], [0, c, -s], [0, s, c]] : [[c, 0, s], [0, 1, 0], [-s, 0, c]];
  const old = viewer.turn;
  viewer.turn = by.map((row) =>
    [0, 1, 2].map((k) => row[0] * old[0][k] + row[1] * old[1][k] + row[2] * old[2][k]));
}

function molecule() {
  const { key, index } = viewer.buttons[viewer.place].dataset;
  return page.molecules[key][Number(index)];
}

function open(place) {
  viewer.place = (place + viewer.buttons.length) % viewer.buttons.length;
  viewer.turn = identity();
  viewer.zoom = 1;
  const button = viewer.buttons[viewer.place];
  const formula = button.querySelector(".formula").innerHTML;
  const state = button.querySelector(".state").textContent;
  const title = document.getElementById("viewer-title");
  title.textContent = `${button.dataset.name}, sample ${Number(button.dataset.index) + 1}: `;
  title.insertAdjacentHTML("beforeend", `${formula}, ${state}`);
  legend();
  if (!viewer.dialog.open) viewer.dialog.showModal();
  paint();
}

function legend() {
  const found = [...new Set(molecule().n)].sort((a, b) => a - b);
  const list = document.getElementById("viewer-legend");
  list.replaceChildren(...found.map((number) => {
    const item = document.createElement("span");
    const ball = document.createElement("i");
    ball.style.background = page.elements.colours[number];
    item.append(ball, page.elements.symbols[number]);
    return item;
  }));
  if (molecule().u.length) {
    const item = document.createElement("span");
    const ring = document.createElement("i");
    ring.className = "ring";
    item.append(ring, "valence not allowed");
    list.append(item);
  }
}

function project(shape, side) {
  const places = [...triples(shape.p), ...triples(shape.c)];
  const reach = Math.max(1, ...places.map((place) => Math.hypot(...place)));
  const scale = (viewer.zoom * 0.42 * side) / (reach + 0.4);
  const seen = places.map((place) => {
    const [x, y, z] = viewer.turn.map((row) =>
      row[0] * place[0] + row[1] * place[1] + row[2] * place[2]);
    const nearer = DISTANCE / (DISTANCE - z / (reach + 0.4));
    return {
      x: side / 2 + scale * nearer * x,
      y: side / 2 - scale * nearer * y,
      at: [x, y, z],
      scale: scale * nearer,
    };
  });
  const atoms = shape.n.map((number, k) => {
    const radius = page.elements.radii[number];
    const colour = page.elements.colours[number];
    return { ...seen[k], radius, r: seen[k].scale * radius, colour };
  });
  return { atoms, corners: seen.slice(atoms.length) };
}

function triples(numbers) {
  return Array.from({ length: numbers.length / 3 }, (_, k) => numbers.slice(3 * k, 3 * k + 3));
}

function paint() {
  const { canvas } = viewer;
  const side = canvas.clientWidth;
  const ratio = window.devicePixelRatio || 1;
  canvas.width = canvas.height = Math.round(side * ratio);
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  const shape = molecule();
  const { atoms, corners } = project(shape, side);
  const unstable = new Set(shape.u);
  const items = atoms.map((atom, k) => ({ z: atom.at[2], draw: () => ball(pen, atom, unstable.has(k)) }));
  for (let k = 0; k < shape.b.length; k += 3) {
    const [a, b] = [atoms[shape.b[k]], atoms[shape.b[k + 1]]];
    items.push({ z: (a.at[2] + b.at[2]) / 2, draw: () => stick(pen, a, b, shape.b[k + 2]) });
  }
  if (corners.length) {
    for (const [a, b] of EDGES.map((edge) => edge.map((k) => corners[k]))) {
      items.push({ z: (a.at[2] + b.at[2]) / 2, draw: () => edge(pen, a, b) });
    }
  }
  items.sort((a, b) => a.z - b.z);
  for (const item of items) item.draw();
}

function ball(pen, atom, unstable) {
  const light = pen.createRadialGradient(
    atom.x - 0.3 * atom.r, atom.y - 0.36 * atom.r, 0.05 * atom.r, atom.x, atom.y, 1.05 * atom.r);
  light.addColorStop(0, `color-mix(in srgb, ${atom.colour}, white 70%)`);
  light.addColorStop(0.45, atom.colour);
  light.addColorStop(1, `color-mix(in srgb, ${atom.colour}, black 38%)`);
  pen.beginPath();
  pen.arc(atom.x, atom.y, atom.r, 0, 2 * Math.PI);
  pen.fillStyle = light;
  pen.fill();
  pen.lineWidth = unstable ? 3 : 0.75;
  pen.strokeStyle = unstable ? token("--bad") : "rgba(0, 0, 0, .35)";
  pen.stroke();
}

function edge(pen, a, b) {
  pen.lineWidth = 1.25;
  pen.strokeStyle = token("--stick");
  pen.beginPath();
  pen.moveTo(a.x, a.y);
  pen.lineTo(b.x, b.y);
  pen.stroke();
}

// A stick leaves its balls at their surface, so that it never lies across the face of one.
function stick(pen, a, b, order) {
  const distance = Math.hypot(b.at[0] - a.at[0], b.at[1] - a.at[1], b.at[2] - a.at[2]);
  const between = (share) => ({ x: a.x + share * (b.x - a.x), y: a.y + share * (b.y - a.y) });
  const begin = between((0.85 * a.radius) / distance);
  const end = between(1 - (0.85 * b.radius) / distance);
  const middle = { x: (begin.x + end.x) / 2, y: (begin.y + end.y) / 2 };
  const length = Math.hypot(b.x - a.x, b.y - a.y) || 1;
  const scale = (a.scale + b.scale) / 2;
  const [across, along] = [(a.y - b.y) / length, (b.x - a.x) / length];
  const wide = scale * (order === 1 ? 0.2 : 0.14);
  for (const shift of [[0], [-0.13, 0.13], [-0.2, 0, 0.2]][order - 1]) {
    const line = (from, to, width, style) => {
      pen.lineWidth = width;
      pen.strokeStyle = style;
      pen.beginPath();
      pen.moveTo(from.x + shift * scale * across, from.y + shift * scale * along);
      pen.lineTo(to.x + shift * scale * across, to.y + shift * scale * along);
      pen.stroke();
    };
    line(begin, end, wide + 1.5, "rgba(0, 0, 0, .35)");
    line(begin, middle, wide, `color-mix(in srgb, ${a.colour}, #777 20%)`);
    line(middle, end, wide, `color-mix(in srgb, ${b.colour}, #777 20%)`);
    line(begin, end, wide * 0.35, "rgba(255, 255, 255, .28)");
  }
}

function zoom(factor) {
  viewer.zoom = Math.min(6, Math.max(0.4, viewer.zoom * factor));
}

function spin(on) {
  viewer.spinning = on;
  document.getElementById("viewer-spin").setAttribute("aria-pressed", String(on));
  if (on) requestAnimationFrame(turnOn);
}

function turnOn() {
  if (!viewer.spinning || !viewer.dialog.open) return;
  rotate("y", 0.012);
  paint();
  requestAnimationFrame(turnOn);
}

const KEYS = {
  ArrowLeft: () => rotate("y", -STEP),
  ArrowRight: () => rotate("y", STEP),
  ArrowUp: () => rotate("x", -STEP),
  ArrowDown: () => rotate("x", STEP),
  "+": () => zoom(1.15),
  "=": () => zoom(1.15),
  "-": () => zoom(1 / 1.15),
  Home: () => { viewer.turn = identity(); viewer.zoom = 1; },
  PageUp: () => open(viewer.place - 1),
  PageDown: () => open(viewer.place + 1),
};

viewer.buttons.forEach((button, place) => {
  button.addEventListener("click", () => open(place));
});

viewer.dialog.addEventListener("keydown", (event) => {
  if (!(event.key in KEYS)) return;
  event.preventDefault();
  KEYS[event.key]();
  paint();
});

viewer.dialog.addEventListener("click", (event) => {
  if (event.target === viewer.dialog) viewer.dialog.close();
});

viewer.dialog.addEventListener("close", () => {
  spin(false);
  viewer.buttons[viewer.place].focus();
});

viewer.canvas.addEventListener("pointerdown", (event) => {
  viewer.canvas.setPointerCapture(event.pointerId);
  viewer.pointers.set(event.pointerId, event);
});

viewer.canvas.addEventListener("pointermove", (event) => {
  const before = viewer.pointers.get(event.pointerId);
  if (!before) return;
  const other = [...viewer.pointers.values()].find((one) => one.pointerId !== event.pointerId);
  if (other) {
    const apart = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
    zoom(apart(event) / Math.max(apart(before), 1));
  } else {
    rotate("y", (event.clientX - before.clientX) * 0.01);
    rotate("x", (event.clientY - before.clientY) * 0.01);
  }
  viewer.pointers.set(event.pointerId, event);
  paint();
});

for (const end of ["pointerup", "pointercancel"]) {
  viewer.canvas.addEventListener(end, (event) => viewer.pointers.delete(event.pointerId));
}

viewer.canvas.addEventListener("wheel", (event) => {
  event.preventDefault();
  zoom(event.deltaY < 0 ? 1.1 : 1 / 1.1);
  paint();
}, { passive: false });

document.getElementById("viewer-close").addEventListener("click", () => viewer.dialog.close());
document.getElementById("viewer-previous").addEventListener("click", () => open(viewer.place - 1));
document.getElementById("viewer-next").addEventListener("click", () => open(viewer.place + 1));
document.getElementById("viewer-spin").addEventListener("click", () => spin(!viewer.spinning));
window.addEventListener("resize", () => { if (viewer.dialog.open) paint(); });
