// The loss anatomy: the push of a loss on each logit, beside that of one or two others.
//
// `look(model)` computes everything a view shows from the model's traits, which are the only state;
// the parts of the panel draw it. The gradients come from Python; here they are turned and scaled.

// By place: the loss chosen, the one against it, and the third. Told apart by their filling too.
const LOOKS = [
  { color: INK, line: "", kind: "solid" },
  { color: "#009e73", line: "7 3", kind: "striped" },
  { color: "#aa4499", line: "2 3", kind: "hollow" },
];
let views = 0;

function signedPush(value) {
  const size = Math.abs(value);
  const text = size.toFixed(size >= 9.995 ? 1 : 2);
  if (Number(text) === 0) return size > 1e-9 ? `${value > 0 ? "+" : "−"}0.00` : "0";
  return `${value > 0 ? "+" : "−"}${text}`;
}

// Three digits, without the sign.
function short(value) {
  if (value === 0) return "0";
  if (value < 0.001) return minus(value.toExponential(1));
  return value >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}

// ---- Mathematics ----

function softmax(logits, T) {
  const top = Math.max(...logits);
  const powers = logits.map((z) => Math.exp((z - top) / T));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / total);
}

function norm(vector) {
  return Math.hypot(...vector);
}

// Of two gradients; NaN where one of them is zero.
function cosine(u, v) {
  const sizes = norm(u) * norm(v);
  if (sizes < 1e-12) return NaN;
  return Math.min(1, Math.max(-1, u.reduce((sum, x, i) => sum + x * v[i], 0) / sizes));
}

function degrees(cos) {
  return (Math.acos(cos) * 180) / Math.PI;
}

// ---- What there is to see ----

// The packed gradients by name, unpacked once a view: pushes(name, place of the temperature, image).
function unpacked(model) {
  const found = new Map();
  const images = model.get("labels").length, classes = model.get("classes").length;
  return (name, place, index) => {
    if (!found.has(name)) {
      const bytes = Uint8Array.from(atob(model.get("gradients")[name]), (c) => c.charCodeAt(0));
      found.set(name, new Float32Array(bytes.buffer));
    }
    const start = (place * images + index) * classes;
    return Array.from(found.get(name).subarray(start, start + classes), (gradient) => -gradient);
  };
}

function look(model, pushes) {
  const index = model.get("index"), T = model.get("temperature"), raw = model.get("raw");
  const stops = model.get("temperatures");
  const names = [model.get("loss"), model.get("against"), model.get("also")].filter(Boolean);
  const shown = names.map((name, place) => {
    const along = stops.map((_, stop) => pushes(name, stop, index));
    const push = along[stops.indexOf(T)], size = norm(push);
    const factor = raw ? 1 : size > 1e-12 ? 1 / size : 0;
    return { name, along, push, size, look: LOOKS[place], bars: push.map((value) => value * factor) };
  });
  const [first] = shown;
  for (const other of shown) {
    other.cosine = cosine(first.push, other.push);
    other.degrees = other.along.map((push, stop) => degrees(cosine(first.along[stop], push)));
  }
  // The same over all temperatures: a bar that grows is a gradient that grows.
  const longest = Math.max(1e-12, ...shown.flatMap(({ along }) => along.flat().map(Math.abs)));
  return {
    index, T, raw, stops, shown,
    reach: raw ? longest : 1,
    classes: model.get("classes"),
    truth: model.get("labels")[index],
    teacher: softmax(model.get("teacher_logits")[index], T),
    student: softmax(model.get("student_logits")[index], T),
  };
}

// What the picture says: of the loss chosen, and of each other against it.
function sentence(view) {
  const { shown, classes, T } = view;
  const [first, ...others] = shown;
  const told = [`At T = ${T}, ${first.name} ${pushed(first, classes)}.`];
  for (const other of others) {
    if (!(other.size > 1e-12) || !(first.size > 1e-12)) {
      told.push(`The angle to ${other.name} does not exist: a gradient is zero.`);
      continue;
    }
    const apart = other.bars.map((value, i) => Math.abs(value - first.bars[i]));
    const most = apart.indexOf(Math.max(...apart));
    const change = `${signedPush(other.bars[most])} instead of ${signedPush(first.bars[most])} on ${classes[most]}`;
    const angle = `${Math.round(degrees(other.cosine))}° away (cosine ${minus(other.cosine.toFixed(2))})`;
    const differs = apart[most] < 0.005 * view.reach ? "the same on every logit" : `most different: ${change}`;
    told.push(`${capital(other.name)} points ${angle}; ${differs}.`);
  }
  return told.join(" ");
}

function pushed({ bars, size }, classes) {
  if (size <= 1e-12) return "sends no gradient";
  const up = Math.max(...bars), down = Math.min(...bars);
  const raises = up > 0 ? `pushes ${classes[bars.indexOf(up)]} up most (${signedPush(up)})` : "pushes no logit up";
  const lowers = down < 0 ? `${classes[bars.indexOf(down)]} down most (${signedPush(down)})` : "none down";
  return `${raises} and ${lowers}`;
}

function capital(text) {
  return text[0].toUpperCase() + text.slice(1);
}

// ---- The parts of the panel ----

const CHART = { width: 640, left: 52, right: 6, top: 24, probabilities: 84, gap: 66, pushes: 188 };
const FLOOR = CHART.top + CHART.probabilities;
const MIDDLE = FLOOR + CHART.gap + CHART.pushes / 2;
const HEIGHT = FLOOR + CHART.gap + CHART.pushes + 8;

function drawChart(view, picture, stripes) {
  const { classes, truth, shown } = view;
  const wide = (CHART.width - CHART.left - CHART.right) / classes.length;
  const x = (place) => CHART.left + place * wide;
  const half = CHART.pushes / 2;
  const drawn = [
    svg("rect", { class: "truth", x: x(truth) + 1, width: wide - 2, y: CHART.top - 4, height: HEIGHT - CHART.top }),
    words(0, 12, `Probability at T = ${view.T}`),
    words(CHART.width - 214, 12, "teacher (solid)", { style: `fill: ${TEACHER}` }),
    words(CHART.width - CHART.right, 12, "student (hollow)", { "text-anchor": "end", style: `fill: ${STUDENT}` }),
    words(0, FLOOR + CHART.gap - 14, view.raw ? "Push on the logit, raw (minus the gradient)" : "Push on the logit (minus the gradient), all losses at length 1"),
  ];
  for (const [value, text] of [[0, "0"], [1, "1"]]) {
    drawn.push(...level(FLOOR - value * CHART.probabilities, text, value === 0));
  }
  for (const share of [-1, -0.5, 0, 0.5, 1]) {
    const text = share === 0 ? "0" : signedPush(share * view.reach);
    drawn.push(...level(MIDDLE - share * half, text, share === 0));
  }
  classes.forEach((name, place) => {
    const middle = x(place) + wide / 2;
    const weight = place === truth ? { "font-weight": 700 } : {};
    drawn.push(words(middle, FLOOR + 16, place === truth ? `${name} true` : name, { "text-anchor": "middle", ...weight }));
    const bar = wide * 0.3;
    const high = (p) => Math.max(0, p * CHART.probabilities);
    drawn.push(svg("rect", { class: "p-teacher", x: middle - bar, width: bar - 1, y: FLOOR - high(view.teacher[place]), height: high(view.teacher[place]), fill: TEACHER }));
    drawn.push(svg("rect", { class: "p-student", x: middle + 1, width: bar - 1, y: FLOOR - high(view.student[place]), height: high(view.student[place]), fill: "#fff", stroke: STUDENT, "stroke-width": 1.8, "stroke-dasharray": "4 2" }));
    drawn.push(...shown.map((one, order) => pushBar(one, view, place, x(place) + wide * 0.1, (wide * 0.8) / shown.length, order, stripes)));
  });
  picture.replaceChildren(...drawn);
}

function level(y, text, bold) {
  const line = svg("line", { x1: CHART.left, x2: CHART.width - CHART.right, y1: y, y2: y, stroke: bold ? "#777" : "#e3e3e3" });
  return [line, words(CHART.left - 6, y + 4, text, { "text-anchor": "end", class: "quiet" })];
}

function pushBar(one, view, place, left, wide, order, stripes) {
  const share = one.bars[place] / view.reach;
  const high = (Math.abs(share) * CHART.pushes) / 2;
  const fill = { solid: one.look.color, striped: `url(#${stripes})`, hollow: "#fff" }[one.look.kind];
  const bar = svg("rect", {
    class: "push", x: left + order * wide + 1, width: wide - 2, y: share > 0 ? MIDDLE - high : MIDDLE, height: high,
    fill, stroke: one.look.color, "stroke-width": 1.4,
  });
  bar.append(svg("title", {}, `${one.name}, class ${view.classes[place]}: ${signedPush(one.bars[place])}`));
  return bar;
}

const ANGLES = { width: 230, height: 148, left: 34, right: 8, top: 24, bottom: 36 };

// How the angles to the loss chosen go with the temperature.
function drawAngles(view, picture) {
  const { stops, shown } = view;
  const [first, ...others] = shown;
  const x = (T) => ANGLES.left + (Math.log(T / stops[0]) / Math.log(stops.at(-1) / stops[0])) * (ANGLES.width - ANGLES.left - ANGLES.right);
  const top = others.some((other) => other.degrees.some((angle) => angle > 90)) ? 180 : 90;
  const y = (angle) => ANGLES.height - ANGLES.bottom - (angle / top) * (ANGLES.height - ANGLES.bottom - ANGLES.top);
  const drawn = [words(0, 12, `Angle to ${first.name}`)];
  for (const tick of [0, top / 2, top]) {
    drawn.push(svg("line", { x1: ANGLES.left, x2: ANGLES.width - ANGLES.right, y1: y(tick), y2: y(tick), stroke: "#e3e3e3" }));
    drawn.push(words(ANGLES.left - 5, y(tick) + 4, `${tick}°`, { "text-anchor": "end", class: "quiet" }));
  }
  for (const T of [0.5, 1, 2, 4, 8, 16, 64].filter((T) => stops.includes(T))) {
    drawn.push(words(x(T), y(0) + 16, String(T), { "text-anchor": "middle", class: "quiet" }));
  }
  drawn.push(words((ANGLES.left + ANGLES.width) / 2, ANGLES.height - 4, "temperature T", { "text-anchor": "middle", class: "quiet" }));
  drawn.push(svg("line", { x1: x(view.T), x2: x(view.T), y1: ANGLES.top - 4, y2: y(0), stroke: INK, "stroke-dasharray": "2 3" }));
  for (const other of others) {
    const known = stops.map((T, stop) => [T, other.degrees[stop]]).filter(([, angle]) => Number.isFinite(angle));
    const points = known.map(([T, angle]) => `${x(T).toFixed(1)},${y(angle).toFixed(1)}`).join(" ");
    drawn.push(svg("polyline", { points, fill: "none", stroke: other.look.color, "stroke-width": 2.5, "stroke-dasharray": other.look.line }));
    const here = other.degrees[stops.indexOf(view.T)];
    if (Number.isFinite(here)) drawn.push(svg("circle", { cx: x(view.T), cy: y(here), r: 4.5, fill: "#fff", stroke: other.look.color, "stroke-width": 2.5 }));
  }
  picture.replaceChildren(...drawn);
}

// The names of the losses with their marks, and what a unit of each is.
function drawKey(view, key, model, stripes) {
  const rows = view.shown.map((one) => {
    const fill = { solid: one.look.color, striped: `url(#${stripes})`, hollow: "#fff" }[one.look.kind];
    const mark = svg("svg", { viewBox: "0 0 16 12", class: "mark", "aria-hidden": "true" }, svg("rect", { x: 1, y: 1, width: 14, height: 10, fill, stroke: one.look.color, "stroke-width": 1.5 }));
    const fixed = model.get("tempered")[one.name] ? "" : "; the same at every T";
    return html("p", {}, mark, html("b", {}, one.name), ` length ${short(one.size)} (${model.get("scales")[one.name]}${fixed})`);
  });
  key.replaceChildren(...rows);
}

// The images to choose from, as one group of radio buttons, and the one chosen, large.
function imagePicker(model, choose) {
  const images = imagesOf(model);
  const [labels, classes, shape] = ["labels", "classes", "image_shape"].map((name) => model.get(name));
  const big = html("canvas", { class: "big", role: "img" });
  const said = html("p");
  const thumbnails = labels.map((label, index) => {
    const canvas = html("canvas", { "aria-hidden": "true" });
    fillPixels(canvas, shape, images[index]);
    const name = `image ${index + 1} of ${labels.length}, true class ${classes[label]}`;
    return radio(canvas, { class: "thumbnail", "aria-label": name });
  });
  const group = radioGroup("Image", "thumbnails", thumbnails, choose);
  return {
    element: html("div", { class: "subject" }, big, said, group),
    draw({ index, truth, T, teacher, student }) {
      fillPixels(big, shape, images[index]);
      const first = (p) => `${classes[p.indexOf(Math.max(...p))]} (${Math.max(...p).toFixed(2)})`;
      said.replaceChildren(`true class ${classes[truth]}`, html("br"), `At T = ${T}:`, html("br"), `teacher ${first(teacher)}`, html("br"), `student ${first(student)}`);
      big.setAttribute("aria-label", `The image chosen; its true class is ${classes[truth]}`);
      markChosen(thumbnails, index);
    },
  };
}

function chooser(text, label, names, onChoose) {
  const select = dropDown(label, names.map((name) => [name, name || "nothing"]), onChoose);
  return { select, element: html("label", { class: "knob" }, text, select) };
}

function temperatureSlider(model) {
  const stops = model.get("temperatures");
  const { show, element } = knob("Temperature", { min: 0, max: stops.length - 1 }, (place) =>
    save(model, "temperature", stops[place]));
  return {
    element,
    draw: ({ T }) => show(stops.indexOf(T), `T = ${T}`, `temperature ${T}`),
  };
}

const TRAITS = ["loss", "against", "also", "index", "temperature", "raw"];

function render({ model, el }) {
  const pushes = unpacked(model);
  const names = Object.keys(model.get("scales"));
  const choosers = [
    ["loss", "Loss", "Loss", names],
    ["against", "against", "Against", names],
    ["also", "and", "And against", ["", ...names]],
  ].map(([trait, text, label, options]) => ({ trait, ...chooser(text, label, options, (name) => save(model, trait, name)) }));
  const slider = temperatureSlider(model);
  const raw = keepKeys(html("input", { type: "checkbox" }));
  raw.addEventListener("change", () => save(model, "raw", raw.checked));
  const picker = imagePicker(model, (index) => save(model, "index", index));
  const stripes = `kdviz-stripes-${views++}-${Math.random().toString(36).slice(2)}`;
  const pattern = svg("pattern", { id: stripes, width: 5, height: 5, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
    svg("rect", { width: 5, height: 5, fill: "#fff" }), svg("rect", { width: 2.6, height: 5, fill: LOOKS[1].color }));
  const chart = svg("g"), angles = svg("svg", { viewBox: `0 0 ${ANGLES.width} ${ANGLES.height}`, role: "img", "aria-label": "The angle between the gradients, by temperature" });
  const picture = svg("svg", { viewBox: `0 0 ${CHART.width} ${HEIGHT}`, role: "img", "aria-label": "Probabilities, and the push of each loss on each logit" }, svg("defs", {}, pattern), chart);
  const key = html("div", { class: "key" });
  const readOut = html("p", { class: "read-out", "aria-live": "polite" });

  const draw = guardedBy(readOut, "picture", () => {
    const view = look(model, pushes);
    for (const { trait, select } of choosers) select.value = model.get(trait);
    raw.checked = view.raw;
    slider.draw(view);
    picker.draw(view);
    drawChart(view, chart, stripes);
    drawAngles(view, angles);
    drawKey(view, key, model, stripes);
    readOut.textContent = sentence(view);
  });

  el.append(html(
    "div",
    { class: "kdviz-anatomy" },
    html("div", { class: "controls" }, ...choosers.map(({ element }) => element)),
    html("div", { class: "controls" }, slider.element, html("label", { class: "knob" }, raw, "Raw lengths")),
    html("div", { class: "pictures" }, html("div", { class: "side" }, picker.element, angles), picture),
    key,
    readOut,
  ));
  draw();
  return follow(model, TRAITS, draw);
}

export default { render };
