// The landscape: a map of paired gains, the seeds behind a cell, and its learning curves.

// The colour says who is ahead: the baseline's grey or the student's orange, light enough for ink on top.
const AHEAD = [240, 138, 75], BEHIND = [158, 158, 158];
const MAP = { width: 540, height: 400, left: 62, top: 26, right: 6, bottom: 48 };
let patterns = 0;

// Hatched: the interval holds zero, or the seeds are too few for one.
function isUnsure(cell) {
  return cell.sure !== true;
}

// What the chosen cell says, in a sentence.
function sentence(model) {
  const { temperature, weight, cell } = chosenCell(model);
  const place = `T = ${temperature}, soft_weight ${weight}`;
  if (!cell) return `${place}: no student trained${model.get("shown").seeds ? "" : " yet"}.`;
  const count = cell.gains.length;
  if (cell.low === undefined) {
    return `${place}: ${signed(cell.mean)} points over ${count} seeds, too few seeds for an interval.`;
  }
  const verdict = isUnsure(cell) ? " Null: the interval holds zero." : "";
  return (
    `${place}: ${signed(cell.mean)} points over hard labels, from ${signed(cell.low)} to ${signed(cell.high)} ` +
    `(95 % interval over ${count} seeds); ${cell.above} of ${count} seeds gained.${verdict}`
  );
}

function chosenCell(model) {
  const temperatures = model.get("temperatures");
  const place = model.get("chosen");
  return {
    place,
    temperature: temperatures[place % temperatures.length],
    weight: model.get("soft_weights")[Math.floor(place / temperatures.length)],
    cell: model.get("cells")[place],
  };
}

function colour(gain, largest) {
  const share = Math.abs(gain) / largest;
  const full = gain > 0 ? AHEAD : BEHIND;
  return `rgb(${mix(WHITE, full, share).join(", ")})`;
}

function drawMap(model, frame, hatch, choose) {
  const temperatures = model.get("temperatures"), weights = model.get("soft_weights"), cells = model.get("cells");
  const wide = (MAP.width - MAP.left - MAP.right) / temperatures.length;
  const high = (MAP.height - MAP.top - MAP.bottom) / weights.length;
  const largest = Math.max(1, ...cells.filter(Boolean).map((cell) => Math.abs(cell.mean)));
  const drawn = [];
  let chosen;
  cells.forEach((cell, place) => {
    const x = MAP.left + (place % temperatures.length) * wide;
    const y = MAP.height - MAP.bottom - (Math.floor(place / temperatures.length) + 1) * high;
    const box = { x: x + 1, y: y + 1, width: wide - 2, height: high - 2 };
    const group = svg("g", { class: "cell" });
    group.append(svg("rect", { ...box, fill: cell ? colour(cell.mean, largest) : "#fff", stroke: cell ? "none" : "#ddd" }));
    if (cell && isUnsure(cell)) group.append(svg("rect", { ...box, fill: `url(#${hatch})` }));
    if (cell) group.append(words(x + wide / 2, y + high / 2 + 5, signed(cell.mean), { "text-anchor": "middle" }));
    group.addEventListener("click", () => choose(place));
    drawn.push(group);
    if (place === model.get("chosen")) chosen = svg("rect", { class: "chosen", ...box });
  });
  drawn.push(chosen);
  temperatures.forEach((value, column) => {
    const x = MAP.left + (column + 0.5) * wide;
    drawn.push(words(x, MAP.height - MAP.bottom + 18, String(value), { "text-anchor": "middle", class: "quiet" }));
  });
  weights.forEach((value, row) => {
    const y = MAP.height - MAP.bottom - (row + 0.5) * high + 5;
    drawn.push(words(MAP.left - 8, y, String(value), { "text-anchor": "end", class: "quiet" }));
  });
  drawn.push(words((MAP.left + MAP.width - MAP.right) / 2, MAP.height - 8, "temperature T", { "text-anchor": "middle" }));
  const middle = (MAP.height - MAP.bottom + MAP.top) / 2;
  drawn.push(words(14, middle, "soft_weight", { "text-anchor": "middle", transform: `rotate(-90 14 ${middle})` }));
  drawn.push(words(0, 14, mapTitle(model)));
  // What is no longer asked for is pale.
  frame.setAttribute("opacity", isStale(model) ? 0.5 : 1);
  frame.replaceChildren(...drawn);
}

function named({ labels, label_noise }) {
  return `${labels} labels${label_noise ? `, ${Math.round(100 * label_noise)} % wrong` : ""}`;
}

function wanted(model) {
  return { labels: model.get("labels"), label_noise: model.get("label_noise") };
}

// Whether the map shows other settings than the sliders.
function isStale(model) {
  const shown = model.get("shown");
  return Boolean(shown.seeds) && named(shown) !== named(wanted(model));
}

function mapTitle(model) {
  const shown = model.get("shown");
  if (!shown.seeds) return `Points over hard labels: nothing trained yet; ${named(wanted(model))}`;
  if (isStale(model)) {
    const next = model.get("running") ? "Now training:" : "Press Train for";
    return `Still ${named(shown)}. ${next} ${named(wanted(model))}.`;
  }
  const omit = model.get("omit");
  const data = `${named(shown)}${omit === null ? "" : `, no ${omit}`}`;
  const mark = shown.seeds < 5 ? "hatched: too few" : "hatched: null";
  return `Points over hard labels; ${data}; ${shown.seeds} seeds; ${mark}`;
}

const PANEL = { width: 350, height: 196, left: 46, right: 80, top: 22, bottom: 40 };

function ticks(low, high) {
  const step = [0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].find((size) => (high - low) / size <= 5) ?? 2000;
  const first = Math.ceil(low / step) * step;
  return Array.from({ length: Math.floor((high - first) / step + 1e-9) + 1 }, (_, i) => first + i * step);
}

// Why there is nothing behind an empty cell.
function nothing(model) {
  if (model.get("running")) return "Its students are in training.";
  return model.get("shown").seeds ? "No student of this cell was trained." : "Press Train to see them.";
}

function drawSeeds(model, panel) {
  const { cell } = chosenCell(model);
  const drawn = [words(0, 14, "The seeds of this cell")];
  if (cell) {
    const seen = [0, cell.low ?? 0, cell.high ?? 0, ...cell.gains];
    const low = Math.min(...seen) - 0.5, high = Math.max(...seen) + 0.5;
    const x = scale(low, high, 10, PANEL.width - 10);
    const floor = 98;
    drawn.push(svg("line", { x1: x(0), x2: x(0), y1: 24, y2: floor, stroke: INK, "stroke-dasharray": "2 3" }));
    drawn.push(svg("line", { x1: 10, x2: PANEL.width - 10, y1: floor, y2: floor, stroke: "#999" }));
    // Dots that would cover one another stand on each other.
    const heights = new Map();
    const dots = cell.gains.map((gain) => {
      const column = Math.round(x(gain) / 7);
      heights.set(column, (heights.get(column) ?? 0) + 1);
      return { column, stacked: heights.get(column) - 1 };
    });
    // A high stack is pressed together, so that it stays below the title.
    const rise = Math.min(7.5, (floor - 32) / Math.max(...heights.values()));
    for (const { column, stacked } of dots) {
      drawn.push(svg("circle", { cx: column * 7, cy: floor - 5 - stacked * rise, r: 3.5, fill: STUDENT, opacity: 0.55 }));
    }
    if (cell.low !== undefined) {
      drawn.push(svg("line", { x1: x(cell.low), x2: x(cell.high), y1: floor + 9, y2: floor + 9, stroke: STUDENT, "stroke-width": 4 }));
    }
    drawn.push(svg("circle", { cx: x(cell.mean), cy: floor + 9, r: 6, fill: "#fff", stroke: STUDENT, "stroke-width": 2.5 }));
    for (const tick of ticks(low, high)) {
      drawn.push(words(x(tick), floor + 31, signed(tick, Number.isInteger(tick) ? 0 : 1), { "text-anchor": "middle", class: "quiet" }));
    }
    drawn.push(words(PANEL.width / 2, floor + 48, "gain of a seed; mean and 95 % interval (points)", { "text-anchor": "middle" }));
  } else {
    drawn.push(words(0, 60, nothing(model), { class: "quiet" }));
  }
  panel.replaceChildren(...drawn);
}

function drawCurves(model, panel) {
  const { place } = chosenCell(model);
  const curves = model.get("curves");
  const drawn = [words(0, 14, "Its training, mean of the seeds")];
  const student = curves.cells?.[place];
  if (student) {
    const all = [...student, ...curves.baseline];
    const x = scale(0, curves.steps.at(-1), PANEL.left, PANEL.width - PANEL.right);
    const y = scale(Math.min(...all), Math.max(...all), PANEL.height - PANEL.bottom, PANEL.top + 6);
    const line = (values) => values.map((value, i) => `${x(curves.steps[i]).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
    for (const tick of ticks(Math.min(...all), Math.max(...all))) {
      drawn.push(svg("line", { x1: PANEL.left, x2: PANEL.width - PANEL.right, y1: y(tick), y2: y(tick), stroke: "#e6e6e6" }));
      drawn.push(words(PANEL.left - 6, y(tick) + 4, String(tick), { "text-anchor": "end", class: "quiet" }));
    }
    const look = { fill: "none", "stroke-width": 2.5 };
    drawn.push(svg("polyline", { points: line(curves.baseline), stroke: BASELINE, "stroke-dasharray": "2 4", ...look }));
    drawn.push(svg("polyline", { points: line(student), stroke: STUDENT, "stroke-dasharray": "8 4", ...look }));
    // The names at the ends of their lines must not cover each other.
    const ends = [y(student.at(-1)), y(curves.baseline.at(-1))];
    const apart = Math.max(0, 15 - Math.abs(ends[0] - ends[1])) / 2;
    const up = ends[0] <= ends[1] ? -1 : 1;
    const end = PANEL.width - PANEL.right + 6;
    drawn.push(words(end, ends[0] + 4 + up * apart, "student", { style: `fill: ${STUDENT}` }));
    drawn.push(words(end, ends[1] + 4 - up * apart, "hard labels", { style: `fill: ${BASELINE}` }));
    for (const step of [0, curves.steps.at(-1)]) {
      drawn.push(words(x(step), PANEL.height - PANEL.bottom + 18, String(step), { "text-anchor": "middle", class: "quiet" }));
    }
    drawn.push(words((PANEL.left + PANEL.width - PANEL.right) / 2, PANEL.height - 6, "training step", { "text-anchor": "middle" }));
    const middle = (PANEL.height - PANEL.bottom + PANEL.top) / 2;
    drawn.push(words(10, middle, "validation (%)", { "text-anchor": "middle", transform: `rotate(-90 10 ${middle})` }));
  } else {
    const why = model.get("cells")[place] ? "This table holds no learning curves." : nothing(model);
    drawn.push(words(0, 60, why, { class: "quiet" }));
  }
  panel.replaceChildren(...drawn);
}

// What Python last said, and what the sliders ask for that the map does not show.
function said(model) {
  const stale = isStale(model) && !model.get("running") ? mapTitle(model) : "";
  const start = model.get("shown").seeds ? "" : "Press Train. A first map is there after a few seconds.";
  return [model.get("message") || start, stale].filter(Boolean).join(" ");
}

const TRAITS = ["cells", "curves", "chosen", "shown", "running", "message", "labels", "label_noise"];

function render({ model, el }) {
  const stops = model.get("label_stops");
  const labels = knob(
    "Labels",
    { min: 0, max: stops.length - 1 },
    (place) => save(model, "labels", stops[place]),
  );
  const noise = knob(
    "Wrong labels",
    { min: 0, max: 60, step: 10 },
    (percent) => save(model, "label_noise", percent / 100),
  );
  const train = button("Train", () => {
    const wish = model.get("running") ? "stop_wishes" : "train_wishes";
    save(model, wish, model.get(wish) + 1);
  });
  const message = html("p", { class: "message", role: "status" });
  const readOut = html("p", { class: "read-out", "aria-live": "polite" });

  const hatch = `kdviz-hatch-${patterns++}-${Math.random().toString(36).slice(2)}`;
  const stripes = svg("pattern", { id: hatch, width: 7, height: 7, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" });
  stripes.append(svg("line", { x1: 0, y1: 0, x2: 0, y2: 7, stroke: "#777", "stroke-width": 2, opacity: 0.55 }));
  const frame = keepKeys(svg("g", { tabindex: 0, role: "group", "aria-label": "The map. Arrow keys choose a cell." }));
  const map = svg("svg", { viewBox: `0 0 ${MAP.width} ${MAP.height}` }, svg("defs", {}, stripes), frame);
  const seeds = svg("svg", { viewBox: `0 0 ${PANEL.width} 160`, role: "img", "aria-label": "The gains of the seeds of the chosen cell" });
  const curves = svg("svg", { viewBox: `0 0 ${PANEL.width} ${PANEL.height}`, role: "img", "aria-label": "Validation accuracy along training" });

  const choose = (place) => save(model, "chosen", place);
  frame.addEventListener("keydown", (event) => {
    const columns = model.get("temperatures").length, rows = model.get("soft_weights").length;
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    const place = model.get("chosen");
    const column = clamp((place % columns) + step[0], 0, columns - 1);
    const row = clamp(Math.floor(place / columns) + step[1], 0, rows - 1);
    choose(row * columns + column);
  });

  const draw = guardedBy(message, "map", () => {
    const live = model.get("live"), running = model.get("running");
    drawMap(model, frame, hatch, choose);
    drawSeeds(model, seeds);
    drawCurves(model, curves);
    readOut.textContent = sentence(model);
    labels.show(stops.indexOf(model.get("labels")), String(model.get("labels")));
    const percent = Math.round(100 * model.get("label_noise"));
    noise.show(percent, `${percent} %`);
    train.textContent = running ? "Stop" : "Train";
    for (const control of [labels.input, noise.input]) control.disabled = !live || running;
    train.disabled = !live;
    message.textContent = live ? said(model) : "To train with other settings, this needs a running kernel. Choosing cells works here.";
  });

  const panel = html(
    "div",
    { class: "kdviz-landscape" },
    html("div", { class: "controls" }, labels.element, noise.element, train),
    message,
    html("div", { class: "pictures" }, html("div", { class: "map" }, map), html("div", { class: "behind" }, seeds, curves)),
    readOut,
  );
  el.append(panel);
  draw();
  return follow(model, TRAITS, draw);
}

export default { render };
