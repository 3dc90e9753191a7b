// The loss anatomy: the push of a loss on each logit, beside that of one or two others.
//
// `look(model)` computes everything a view shows from the model's traits, which are the only state;
// the parts of the panel draw it. The gradients come from Python; here they are turned and scaled.

import { chart } from "../kit/chart.js";
import { checkbox, choice, html, INK, knob, stripes, STUDENT, svg, svgPicture, TEACHER,
  words } from "../kit/elements.js";
import { fillPixels, imagePicker, imagesOf } from "../kit/images.js";
import { capital, clamp, largestIndex, minus, norm, softmax } from "../kit/numbers.js";
import { follow, guardedBy, save, traitsOf } from "../kit/panel.js";
import { arrayOf } from "../kit/wire.js";

// By number: the loss chosen, the one against it, and the third. Told apart by their filling too.
const LOOKS = [
  { colour: INK, dashes: "", fill: () => INK },
  { colour: "#009e73", dashes: "7 3", fill: (striped) => striped },
  { colour: "#aa4499", dashes: "2 3", fill: () => "#fff" },
];

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

// Of two gradients; NaN where one of them is zero.
function cosine(u, v) {
  const sizes = norm(u) * norm(v);
  return sizes < 1e-12 ? NaN : clamp(u.reduce((sum, x, i) => sum + x * v[i], 0) / sizes, -1, 1);
}

function degrees(cos) {
  return (Math.acos(cos) * 180) / Math.PI;
}

// ---- What there is to see ----

function decode(model) {
  const known = traitsOf(model, ["temperatures", "classes", "labels", "scales", "tempered"]);
  const [gradients, teacher, student] = ["gradients", "teacher_logits", "student_logits"].map((name) =>
    arrayOf(model, name)
  );
  const names = Object.keys(known.scales);
  const pushes = (name, stop, image) =>
    Array.from(gradients.at(names.indexOf(name), stop, image), (value) => -value);
  return { ...known, names, pushes, teacher, student };
}

function look(model, known) {
  const { index, temperature: T, raw } = traitsOf(model, ["index", "temperature", "raw"]);
  const stops = known.temperatures;
  const names = [model.get("loss"), model.get("against"), model.get("also")].filter(Boolean);
  const shown = names.map((name, order) => {
    const along = stops.map((_, stop) => known.pushes(name, stop, index));
    const push = along[stops.indexOf(T)], size = norm(push);
    const factor = raw ? 1 : size > 1e-12 ? 1 / size : 0;
    return { name, along, push, size, look: LOOKS[order], bars: push.map((value) => value * factor) };
  });
  const [first] = shown;
  for (const other of shown) {
    other.cosine = cosine(first.push, other.push);
    other.degrees = other.along.map((push, stop) => degrees(cosine(first.along[stop], push)));
  }
  // The same over all temperatures: a bar that grows is a gradient that grows.
  const longest = Math.max(1e-12, ...shown.flatMap(({ along }) => along.flat().map(Math.abs)));
  return {
    index,
    T,
    raw,
    stops,
    shown,
    reach: raw ? longest : 1,
    classes: known.classes,
    truth: known.labels[index],
    teacher: softmax(known.teacher.at(index), T),
    student: softmax(known.student.at(index), T),
  };
}

// What the picture says: of the loss chosen, and of each other against it.
function sentence(view) {
  const { shown: [first, ...others], classes, T, reach } = view;
  const told = [`At T = ${T}, ${first.name} ${pushed(first, classes)}.`];
  for (const other of others) {
    if (!(other.size > 1e-12) || !(first.size > 1e-12)) {
      told.push(`The angle to ${other.name} does not exist: a gradient is zero.`);
      continue;
    }
    const apart = other.bars.map((value, i) => Math.abs(value - first.bars[i]));
    const most = largestIndex(apart);
    const change = `${signedPush(other.bars[most])} instead of ${signedPush(first.bars[most])} on ` +
      `${classes[most]}`;
    const angle = `${Math.round(degrees(other.cosine))}° away (cosine ${minus(other.cosine.toFixed(2))})`;
    const differs = apart[most] < 0.005 * reach ? "the same on every logit" : `most different: ${change}`;
    told.push(`${capital(other.name)} points ${angle}; ${differs}.`);
  }
  return told.join(" ");
}

function pushed({ bars, size }, classes) {
  if (size <= 1e-12) return "sends no gradient";
  const up = Math.max(...bars), down = Math.min(...bars);
  const raises = up > 0
    ? `pushes ${classes[bars.indexOf(up)]} up most (${signedPush(up)})`
    : "pushes no logit up";
  const lowers = down < 0 ? `${classes[bars.indexOf(down)]} down most (${signedPush(down)})` : "none down";
  return `${raises} and ${lowers}`;
}

// ---- The parts of the panel ----

const ABOVE = { left: 52, right: 634, top: 24, bottom: 108 }, BELOW = { ...ABOVE, top: 174, bottom: 362 };
const SIZE = [640, 370];

function drawChart(view, drawing, striped) {
  const { classes, truth } = view;
  const x = { range: [0, classes.length] };
  const above = chart({
    box: ABOVE,
    x,
    title: `Probability at T = ${view.T}`,
    y: { range: [0, 1], ticks: [0, 1], strong: 0 },
  });
  const { reach } = view;
  const below = chart({
    box: BELOW,
    x,
    y: {
      range: [-reach, reach],
      ticks: [-reach, -reach / 2, 0, reach / 2, reach],
      strong: 0,
      text: (tick) => tick ? signedPush(tick) : "0",
    },
  });
  const wide = above.x(1) - above.x(0),
    column = { width: wide - 2, y: ABOVE.top - 4, height: SIZE[1] - ABOVE.top };
  const unit = view.raw
    ? "Push on the logit, raw (minus the gradient)"
    : "Push on the logit (minus the gradient), all losses at length 1";
  const names = classes.map((name, i) =>
    words(above.x(i + 0.5), ABOVE.bottom + 16, i === truth ? `${name} true` : name, {
      "text-anchor": "middle",
      ...(i === truth ? { "font-weight": 700 } : {}),
    })
  );
  drawing.replaceChildren(
    svg("rect", { class: "truth", x: above.x(truth) + 1, ...column }),
    ...above.drawn,
    words(SIZE[0] - 214, 12, "teacher (solid)", { style: `fill: ${TEACHER}` }),
    words(ABOVE.right, 12, "student (hollow)", { "text-anchor": "end", style: `fill: ${STUDENT}` }),
    words(0, BELOW.top - 14, unit),
    ...below.drawn,
    ...names,
    ...classes.flatMap((_, i) => probabilityBars(view, i, above, 0.3 * wide)),
    ...classes.flatMap((_, i) => pushBars(view, i, below, wide, striped)),
  );
}

function probabilityBars({ teacher, student }, i, { x, y }, wide) {
  const bar = (kind, left, p, look) =>
    svg("rect", { class: kind, x: left, width: wide - 1, y: y(p), height: y(0) - y(p), ...look });
  const hollow = { fill: "#fff", stroke: STUDENT, "stroke-width": 1.8, "stroke-dasharray": "4 2" };
  return [
    bar("p-teacher", x(i + 0.5) - wide, teacher[i], { fill: TEACHER }),
    bar("p-student", x(i + 0.5) + 1, student[i], hollow),
  ];
}

function pushBars({ shown, classes }, i, { x, y }, wide, striped) {
  const width = (0.8 * wide) / shown.length;
  return shown.map(({ name, bars, look: { colour, fill } }, order) => {
    const [top, bottom] = bars[i] > 0 ? [y(bars[i]), y(0)] : [y(0), y(bars[i])];
    const box = { x: x(i) + 0.1 * wide + order * width + 1, width: width - 2, y: top, height: bottom - top };
    const tip = svg("title", {}, `${name}, class ${classes[i]}: ${signedPush(bars[i])}`);
    return svg("rect", { class: "push", ...box, fill: fill(striped), stroke: colour, "stroke-width": 1.4 },
      tip);
  });
}

const ANGLES = { left: 34, right: 222, top: 24, bottom: 112 }, ANGLES_SIZE = [230, 148];

// How the angles to the loss chosen go with the temperature.
function drawAngles({ stops, shown: [first, ...others], T }, drawing) {
  const top = others.some((other) => other.degrees.some((angle) => angle > 90)) ? 180 : 90;
  const { x, y, drawn } = chart({
    box: ANGLES,
    title: `Angle to ${first.name}`,
    x: { range: [stops[0], stops.at(-1)], log: true,
      ticks: [0.5, 1, 2, 4, 8, 16, 64].filter((tick) => stops.includes(tick)), title: "temperature T" },
    y: { range: [0, top], ticks: [0, top / 2, top], text: (tick) => `${tick}°` },
    marks: [{ value: T, stroke: INK, "stroke-dasharray": "2 3" }],
    series: others.map(({ degrees: along, look: { colour, dashes } }) => ({
      points: stops.map((stop, i) => [stop, along[i]]),
      stroke: colour,
      "stroke-width": 2.5,
      "stroke-dasharray": dashes,
    })),
  });
  const dots = others.map((other) => [other.degrees[stops.indexOf(T)], other.look.colour])
    .filter(([angle]) => Number.isFinite(angle)).map(([angle, stroke]) =>
      svg("circle", { cx: x(T), cy: y(angle), r: 4.5, fill: "#fff", stroke, "stroke-width": 2.5 })
    );
  drawing.replaceChildren(...drawn, ...dots);
}

// The names of the losses with their marks, and what a unit of each is.
function drawKey({ shown }, key, { tempered, scales }, striped) {
  const rows = shown.map(({ name, size, look: { colour, fill } }) => {
    const box = svg("rect", { x: 1, y: 1, width: 14, height: 10, fill: fill(striped), stroke: colour,
      "stroke-width": 1.5 });
    const mark = svg("svg", { viewBox: "0 0 16 12", class: "mark", "aria-hidden": "true" }, box);
    const fixed = tempered[name] ? "" : "; the same at every T";
    return html("p", {}, mark, html("b", {}, name), ` length ${short(size)} (${scales[name]}${fixed})`);
  });
  key.replaceChildren(...rows);
}

// The image chosen, large, and below it those to choose from.
function subject(model, { classes, labels }) {
  const images = imagesOf(model);
  const big = html("canvas", { class: "big", role: "img" }), told = html("p");
  const picker = imagePicker(images, (i) => `true class ${classes[labels[i]]}`,
    (index) => save(model, "index", index));
  return {
    element: html("div", { class: "subject" }, big, told, picker.element),
    draw({ index, truth, T, teacher, student }) {
      fillPixels(big, images.shape, images.colours[index]);
      const first = (p) => `${classes[largestIndex(p)]} (${Math.max(...p).toFixed(2)})`;
      const lines = [`At T = ${T}:`, `teacher ${first(teacher)}`, `student ${first(student)}`];
      told.replaceChildren(`true class ${classes[truth]}`, ...lines.flatMap((line) => [html("br"), line]));
      big.setAttribute("aria-label", `The image chosen; its true class is ${classes[truth]}`);
      picker.draw(index);
    },
  };
}

function controls(model, { names, temperatures }) {
  const choosers = [["loss", "Loss", "Loss", names], ["against", "against", "Against", names], ["also", "and",
    "And against", ["", ...names]]].map(
      ([trait, text, label, options]) => {
        const named = options.map((name) => [name, name || "nothing"]);
        return { trait, ...choice(text, named, (name) => save(model, trait, name), label) };
      },
    );
  const last = temperatures.length - 1;
  const slider = knob("Temperature", { min: 0, max: last },
    (stop) => save(model, "temperature", temperatures[stop]));
  const raw = checkbox("Raw lengths", (on) => save(model, "raw", on), "knob");
  return {
    elements: [
      html("div", { class: "controls" }, ...choosers.map(({ element }) => element)),
      html("div", { class: "controls" }, slider.element, raw.element),
    ],
    draw(view) {
      for (const { trait, select } of choosers) select.value = model.get(trait);
      raw.input.checked = view.raw;
      slider.show(temperatures.indexOf(view.T), `T = ${view.T}`, `temperature ${view.T}`);
    },
  };
}

const TRAITS = ["loss", "against", "also", "index", "temperature", "raw"];

function render({ model, el }) {
  const known = decode(model), bar = controls(model, known), image = subject(model, known);
  const paper = svg("rect", { width: 5, height: 5, fill: "#fff" });
  const striped = stripes(5, paper, svg("rect", { width: 2.6, height: 5, fill: LOOKS[1].colour }));
  const bars = svg("g"),
    angles = svgPicture(...ANGLES_SIZE, "The angle between the gradients, by temperature");
  const main = svgPicture(...SIZE, "Probabilities, and the push of each loss on each logit", striped.pattern,
    bars);
  const key = html("div", { class: "key" });
  const readOut = html("p", { class: "read-out", "aria-live": "polite" });

  const draw = guardedBy(readOut, "picture", () => {
    const view = look(model, known);
    bar.draw(view);
    image.draw(view);
    drawChart(view, bars, striped.paint);
    drawAngles(view, angles);
    drawKey(view, key, known, striped.paint);
    readOut.textContent = sentence(view);
  });

  const pictures = html("div", { class: "pictures" }, html("div", { class: "side" }, image.element, angles),
    main);
  el.append(html("div", { class: "kdviz-anatomy" }, ...bar.elements, pictures, key, readOut));
  draw();
  return follow(model, TRAITS, draw);
}

export default { render };
