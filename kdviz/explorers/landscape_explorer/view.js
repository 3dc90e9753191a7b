// The landscape: a map of paired gains, the seeds behind a cell, and its learning curves.

import { chart, scale, ticksOf } from "../kit/chart.js";
import { BASELINE, button, html, INK, keepKeys, knob, onArrows, stripes, STUDENT, svg, svgPicture,
  words } from "../kit/elements.js";
import { mix, WHITE } from "../kit/images.js";
import { clamp, signed } from "../kit/numbers.js";
import { follow, guardedBy, save, whenRestarted } from "../kit/panel.js";

// The colour says who is ahead: the baseline's grey or the student's orange, light enough for ink on top.
const AHEAD = [240, 138, 75], BEHIND = [158, 158, 158];

// Hatched: the interval holds zero, or the seeds are too few for one.
function isUnsure(cell) {
  return cell.sure !== true;
}

// What the chosen cell says, in a sentence.
function sentence(model) {
  const { temperature, weight, cell } = chosenCell(model);
  const where = `T = ${temperature}, soft_weight ${weight}`;
  if (!cell) return `${where}: no student trained${model.get("shown").seeds ? "" : " yet"}.`;
  const count = cell.gains.length;
  if (cell.low === undefined) {
    return `${where}: ${signed(cell.mean)} points over ${count} seeds, too few seeds for an interval.`;
  }
  const verdict = isUnsure(cell) ? " Null: the interval holds zero." : "";
  return (
    `${where}: ${signed(cell.mean)} points over hard labels, from ${signed(cell.low)} to ` +
    `${signed(cell.high)} ` +
    `(95 % interval over ${count} seeds); ${cell.above} of ${count} seeds gained.${verdict}`
  );
}

function chosenCell(model) {
  const temperatures = model.get("temperatures"), index = model.get("chosen");
  return {
    index,
    temperature: temperatures[index % temperatures.length],
    weight: model.get("soft_weights")[Math.floor(index / temperatures.length)],
    cell: model.get("cells")[index],
  };
}

// ---- The map ----

const MAP = { left: 62, right: 534, top: 26, bottom: 352 }, MAP_SIZE = [540, 400];

function drawMap(model, frame, hatch, choose) {
  const temperatures = model.get("temperatures"), weights = model.get("soft_weights"),
    cells = model.get("cells");
  const columns = temperatures.length, named = (values) => ({ ticks: [], range: [0, values.length] });
  const { x, y, drawn } = chart({
    box: MAP,
    x: { ...named(temperatures), title: "temperature T", below: 3.1 },
    y: { ...named(weights), title: "soft_weight" },
  });
  const largest = Math.max(1, ...cells.filter(Boolean).map((cell) => Math.abs(cell.mean)));
  const [wide, high] = [x(1) - x(0), y(0) - y(1)];
  const boxes = cells.map((_, i) => {
    return { x: x(i % columns) + 1, y: y(Math.floor(i / columns) + 1) + 1, width: wide - 2,
      height: high - 2 };
  });
  const groups = cells.map((cell, i) => {
    const group = drawCell(cell, boxes[i], largest, hatch);
    group.addEventListener("click", () => choose(i));
    return group;
  });
  // What is no longer asked for is pale.
  frame.setAttribute("opacity", isStale(model) ? 0.5 : 1);
  frame.replaceChildren(
    ...groups,
    svg("rect", { class: "chosen", ...boxes[model.get("chosen")] }),
    ...temperatures.map((value, i) =>
      words(x(i + 0.5), MAP.bottom + 18, value, { "text-anchor": "middle", class: "quiet" })
    ),
    ...weights.map((value, i) =>
      words(MAP.left - 8, y(i + 0.5) + 5, value, { "text-anchor": "end", class: "quiet" })
    ),
    ...drawn,
    words(0, 14, mapTitle(model)),
  );
}

function drawCell(cell, box, largest, hatch) {
  if (!cell) return svg("g", { class: "cell" }, svg("rect", { ...box, fill: "#fff", stroke: "#ddd" }));
  const colour = mix(WHITE, cell.mean > 0 ? AHEAD : BEHIND, Math.abs(cell.mean) / largest).join(", ");
  const parts = [svg("rect", { ...box, fill: `rgb(${colour})` })];
  if (isUnsure(cell)) parts.push(svg("rect", { ...box, fill: hatch }));
  const middle = [box.x + box.width / 2, box.y + box.height / 2 + 5];
  return svg("g", { class: "cell" }, ...parts,
    words(...middle, signed(cell.mean), { "text-anchor": "middle" }));
}

function named({ labels, label_noise }) {
  return `${labels} labels${label_noise ? `, ${Math.round(100 * label_noise)} % wrong` : ""}`;
}

function wanted(model) {
  return named({ labels: model.get("labels"), label_noise: model.get("label_noise") });
}

// Whether the map shows other settings than the sliders.
function isStale(model) {
  const shown = model.get("shown");
  return Boolean(shown.seeds) && named(shown) !== wanted(model);
}

function mapTitle(model) {
  const shown = model.get("shown");
  if (!shown.seeds) return `Points over hard labels: nothing trained yet; ${wanted(model)}`;
  if (isStale(model)) {
    const next = model.get("running") ? "Now training:" : "Press Train for";
    return `Still ${named(shown)}. ${next} ${wanted(model)}.`;
  }
  const omit = model.get("omit");
  const data = `${named(shown)}${omit === null ? "" : `, no ${omit}`}`;
  const mark = shown.seeds < 5 ? "hatched: too few" : "hatched: null";
  return `Points over hard labels; ${data}; ${shown.seeds} seeds; ${mark}`;
}

// ---- What is behind a cell ----

const SEEDS = { left: 10, right: 340, top: 24, bottom: 98 }, SEEDS_SIZE = [350, 160];
const CURVES = { left: 46, right: 270, top: 22, bottom: 156 }, CURVES_SIZE = [350, 196];

// Why there is nothing behind an empty cell.
function nothing(model) {
  if (model.get("running")) return "Its students are in training.";
  return model.get("shown").seeds ? "No student of this cell was trained." : "Press Train to see them.";
}

function drawSeeds(model, drawing) {
  const { cell } = chosenCell(model), title = words(0, 14, "The seeds of this cell");
  if (!cell) return drawing.replaceChildren(title, words(0, 60, nothing(model), { class: "quiet" }));
  const seen = [0, cell.low ?? 0, cell.high ?? 0, ...cell.gains];
  const range = [Math.min(...seen) - 0.5, Math.max(...seen) + 0.5], floor = SEEDS.bottom;
  const text = (tick) => signed(tick, Number.isInteger(tick) ? 0 : 1);
  const x = scale(...range, SEEDS.left, SEEDS.right);
  const labels = ticksOf(...range, 5).map((tick) =>
    words(x(tick), floor + 31, text(tick), { "text-anchor": "middle", class: "quiet" })
  );
  const drawn = [
    svg("line", { x1: x(0), x2: x(0), y1: SEEDS.top, y2: floor, stroke: INK, "stroke-dasharray": "2 3" }),
    svg("line", { x1: SEEDS.left, x2: SEEDS.right, y1: floor, y2: floor, stroke: "#999" }),
    ...stacked(cell.gains.map((gain) => x(gain)), floor),
  ];
  if (cell.low !== undefined) {
    const whisker = { x1: x(cell.low), x2: x(cell.high), y1: floor + 9, y2: floor + 9 };
    drawn.push(svg("line", { ...whisker, stroke: STUDENT, "stroke-width": 4 }));
  }
  const middle = { cx: x(cell.mean), cy: floor + 9, r: 6, fill: "#fff", stroke: STUDENT,
    "stroke-width": 2.5 };
  const unit = words(175, floor + 48, "gain of a seed; mean and 95 % interval (points)", {
    "text-anchor": "middle",
  });
  drawing.replaceChildren(title, ...drawn, svg("circle", middle), ...labels, unit);
}

// Dots that would cover one another stand on each other; a high stack is pressed together, below the title.
function stacked(places, floor) {
  const heights = new Map();
  const dots = places.map((place) => {
    const column = Math.round(place / 7), height = heights.get(column) ?? 0;
    heights.set(column, height + 1);
    return [column * 7, height];
  });
  const rise = Math.min(7.5, (floor - 32) / Math.max(...heights.values()));
  return dots.map(([cx, height]) =>
    svg("circle", { cx, cy: floor - 5 - height * rise, r: 3.5, fill: STUDENT, opacity: 0.55 })
  );
}

function drawCurves(model, drawing) {
  const { index } = chosenCell(model), curves = model.get("curves"), student = curves.cells?.[index];
  const title = "Its training, mean of the seeds";
  if (!student) {
    const why = model.get("cells")[index] ? "This table holds no learning curves." : nothing(model);
    return drawing.replaceChildren(words(0, 14, title), words(0, 60, why, { class: "quiet" }));
  }
  const all = [...student, ...curves.baseline], range = [Math.min(...all), Math.max(...all)];
  const last = curves.steps.at(-1);
  const line = (values, name, look) => ({ points: curves.steps.map((step, i) => [step, values[i]]), name,
    ...look });
  const { drawn } = chart({
    box: CURVES,
    title,
    names: true,
    x: { range: [0, last], ticks: [0, last], title: "training step", below: 2.6 },
    y: { range, ticks: ticksOf(...range, 5), title: "validation (%)" },
    series: [
      line(curves.baseline, "hard labels", { stroke: BASELINE, "stroke-width": 2.5,
        "stroke-dasharray": "2 4" }),
      line(student, "student", { stroke: STUDENT, "stroke-width": 2.5, "stroke-dasharray": "8 4" }),
    ],
  });
  drawing.replaceChildren(...drawn);
}

// What Python last told, and what the sliders ask for that the map does not show.
function status(model) {
  const stale = isStale(model) && !model.get("running") ? mapTitle(model) : "";
  const start = model.get("shown").seeds ? "" : "Press Train. A first map is there after a few seconds.";
  return [model.get("message") || start, stale].filter(Boolean).join(" ");
}

// ---- The panel ----

const TRAITS = ["cells", "curves", "chosen", "shown", "running", "live", "message", "labels", "label_noise"];
const STATIC = "To train with other settings, this needs a running kernel. Choosing cells works here.";

// The chosen cell moves by the arrow keys; upwards is a larger weight.
function mapFrame(model, choose) {
  const label = "The map. Arrow keys choose a cell.";
  const frame = keepKeys(svg("g", { tabindex: 0, role: "group", "aria-label": label }));
  onArrows(frame, (across, down) => {
    const columns = model.get("temperatures").length, rows = model.get("soft_weights").length;
    const chosen = model.get("chosen");
    const column = clamp((chosen % columns) + across, 0, columns - 1);
    choose(clamp(Math.floor(chosen / columns) - down, 0, rows - 1) * columns + column);
  });
  return frame;
}

function controls(model) {
  const stops = model.get("label_stops");
  const labels = knob("Labels", { min: 0, max: stops.length - 1 },
    (index) => save(model, "labels", stops[index]));
  const noise = knob("Wrong labels", { min: 0, max: 60, step: 10 },
    (percent) => save(model, "label_noise", percent / 100));
  const train = button("Train", () => {
    const command = model.get("running") ? "stop_commands" : "train_commands";
    save(model, command, model.get(command) + 1);
  });
  return {
    element: html("div", { class: "controls" }, labels.element, noise.element, train),
    draw() {
      const live = model.get("live"), running = model.get("running");
      labels.show(stops.indexOf(model.get("labels")), String(model.get("labels")));
      const percent = Math.round(100 * model.get("label_noise"));
      noise.show(percent, `${percent} %`);
      train.textContent = running ? "Stop" : "Train";
      for (const control of [labels.input, noise.input]) control.disabled = !live || running;
      train.disabled = !live;
    },
  };
}

function render({ model, el }) {
  const bar = controls(model);
  const message = html("p", { class: "message", role: "status" });
  const readOut = html("p", { class: "read-out", "aria-live": "polite" });
  const hatch = stripes(7,
    svg("line", { x1: 0, y1: 0, x2: 0, y2: 7, stroke: "#777", "stroke-width": 2, opacity: 0.55 }));
  const choose = (index) => save(model, "chosen", index);
  const frame = mapFrame(model, choose);
  const map = svg("svg", { viewBox: `0 0 ${MAP_SIZE.join(" ")}` }, hatch.pattern, frame);
  const seeds = svgPicture(...SEEDS_SIZE, "The gains of the seeds of the chosen cell");
  const curves = svgPicture(...CURVES_SIZE, "Validation accuracy along training");

  const draw = guardedBy(message, "map", () => {
    drawMap(model, frame, hatch.paint, choose);
    drawSeeds(model, seeds);
    drawCurves(model, curves);
    bar.draw();
    readOut.textContent = sentence(model);
    message.textContent = model.get("live") ? status(model) : model.get("message") || STATIC;
  });

  const behind = html("div", { class: "behind" }, seeds, curves);
  const pictures = html("div", { class: "pictures" }, html("div", { class: "map" }, map), behind);
  el.append(html("div", { class: "kdviz-landscape" }, bar.element, message, pictures, readOut));
  draw();
  return follow(model, TRAITS, draw);
}

function initialize({ model }) {
  whenRestarted(model, { running: false });
}

export default { initialize, render };
