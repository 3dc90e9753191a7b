// The soft-target explorer: teacher and student on one image, at any temperature.
//
// Mathematics, then formats, then the parts of the panel, then `render`. A part is a function that makes its
// elements once and returns `{ element, draw }`; `draw(view)` brings them up to date with a view, which
// `look(model)` computes afresh. The model's traits are the only state.

import { chart, lineThrough, scale } from "../kit/chart.js";
import { checkbox, html, keepKeys, markChosen, onKeys, radio, radioGroup, setAttributes, setText, stripes,
  svg, words } from "../kit/elements.js";
import { fillPixels, imagePicker, imagesOf } from "../kit/images.js";
import { clamp, largestIndex, logSoftmax, mean, minus, norm, softmax } from "../kit/numbers.js";
import { drawnByFrame, openPanel, restingChange, traitsOf } from "../kit/panel.js";
import { makePlayer, transport } from "../kit/player.js";
import { arrayOf } from "../kit/wire.js";

// ---- Mathematics: everything in nats, from logits; kdviz.losses computes the same in torch ----

export function entropy(logits, T = 1) {
  return logSoftmax(logits, T).reduce((sum, log) => sum - Math.exp(log) * log, 0);
}

export function kl(teacher, student, T = 1) {
  const logP = logSoftmax(student, T);
  return logSoftmax(teacher, T).reduce(
    (sum, logQ, i) => sum + Math.exp(logQ) * (logQ - logP[i]),
    0,
  );
}

// With the teacher's soft targets: their entropy plus the KL divergence.
export function crossEntropy(teacher, student, T = 1) {
  const logP = logSoftmax(student, T);
  return softmax(teacher, T).reduce((sum, q, i) => sum - (q > 0 ? q * logP[i] : 0), 0);
}

// Of the KL divergence with respect to the student's logits; times T² when `scaled`.
export function softTargetGradient(student, teacher, T, scaled = true) {
  const q = softmax(teacher, T);
  const factor = scaled ? T : 1 / T;
  return softmax(student, T).map((p, i) => factor * (p - q[i]));
}

// Of ½ · mean over classes of the squared difference of the centred logits: what the scaled
// soft-target gradient tends to as T grows.
export function logitMatchingGradient(student, teacher) {
  const difference = student.map((z, i) => z - teacher[i]);
  const middle = mean(difference);
  return difference.map((d) => (d - middle) / difference.length);
}

// In degrees; NaN where a vector is zero. Half-angle form, because acos loses the small angles.
export function angle(u, v) {
  const [sizeU, sizeV] = [norm(u), norm(v)];
  if (sizeU < 1e-12 || sizeV < 1e-12) return NaN;
  const difference = norm(u.map((x, i) => x / sizeU - v[i] / sizeV));
  const sum = norm(u.map((x, i) => x / sizeU + v[i] / sizeV));
  return (2 * Math.atan2(difference, sum) * 180) / Math.PI;
}

// ---- The temperature scale ----

const LOWEST = 0.5;
const HIGHEST = 100;
// What the keys and the Step button go through; dragging and playing reach all values between.
const STEPS = [0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.25, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10, 12, 16, 20, 25, 32, 40, 50,
  64, 80, 100];
const TICKS = [0.5, 1, 2, 4, 8, 16, 32, 100];
const PLAY_SECONDS = 9;

// From the temperature to where it is on the logarithmic scale, 0 to 1, and back.
const onScale = scale(LOWEST, HIGHEST, 0, 1, true);

function fromScale(place) {
  return clamp(Number((LOWEST * (HIGHEST / LOWEST) ** place).toPrecision(3)), LOWEST, HIGHEST);
}

function nextStep(T, direction) {
  const further = direction > 0 ? STEPS.find((t) => t > T * 1.001) : STEPS.findLast((t) => t < T * 0.999);
  return further ?? (direction > 0 ? HIGHEST : LOWEST);
}

// ---- Formats ----

const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";

function powerOfTen(exponent) {
  const digits = [...String(Math.abs(exponent))].map((d) => SUPERSCRIPTS[d]).join("");
  return `10${exponent < 0 ? "⁻" : ""}${digits}`;
}

// Three significant digits, in powers of ten where that is shorter; from the natural logarithm,
// so that it holds where the number itself would overflow.
function fromLog(log) {
  const log10 = log / Math.LN10;
  if (log10 >= -3 && log10 < 5) return shortNumber(Math.exp(log));
  let exponent = Math.floor(log10);
  let digits = (10 ** (log10 - exponent)).toFixed(1);
  if (digits === "10.0") [digits, exponent] = ["1.0", exponent + 1];
  return `${digits}·${powerOfTen(exponent)}`;
}

function shortNumber(value) {
  if (!Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  if (Math.abs(value) < 0.001) return fromLog(Math.log(Math.abs(value)));
  const decimals = clamp(2 - Math.floor(Math.log10(Math.abs(value))), 0, 4);
  return minus(value.toFixed(decimals));
}

function probability(logP) {
  return logP < Math.log(0.0005) ? fromLog(logP) : Math.exp(logP).toFixed(3);
}

function temperatureText(T) {
  return String(Number(T.toPrecision(3)));
}

// A short sample of a line, as the key of a plot.
function lineSample(className) {
  const line = svg("line", { class: `line ${className}`, x1: 1, x2: 23, y1: 5, y2: 5 });
  return svg("svg", { class: "sample", viewBox: "0 0 24 10", "aria-hidden": "true" }, line);
}

// ---- What there is to see ----

function decode(model) {
  const known = traitsOf(model, ["classes", "labels", "texts"]);
  const [teacher, student, permutations] = ["teacher_logits", "student_logits", "permutations"].map(
    (name) => {
      return arrayOf(model, name);
    },
  );
  const runnersUp = known.labels.map((truth, i) => bestWrong(teacher.at(i), truth));
  return { ...known, images: imagesOf(model), teacher, student, permutations, runnersUp };
}

function look(model, known) {
  const { index, temperature: T, permuted, class_index: chosen, log_scale: logScale } = traitsOf(model,
    TRAITS);
  const own = Array.from(known.teacher.at(index)), student = Array.from(known.student.at(index));
  const teacher = permuted ? Array.from(known.permutations.at(index), (i) => own[i]) : own;
  const matching = logitMatchingGradient(student, teacher);
  return {
    ...{ index, T, permuted, chosen, logScale, teacher, student },
    logQ: logSoftmax(teacher, T),
    logP: logSoftmax(student, T),
    classes: known.classes,
    truth: known.labels[index],
    limit: norm(matching),
    ...measures(teacher, student, matching, T),
  };
}

function measures(teacher, student, matching, T) {
  const gradient = softTargetGradient(student, teacher, T);
  return {
    teacherBits: entropy(teacher, T) / Math.LN2,
    studentBits: entropy(student, T) / Math.LN2,
    scaled: norm(gradient),
    unscaled: norm(gradient) / T ** 2,
    degrees: angle(gradient, matching),
  };
}

function bestWrong(logits, truth) {
  return largestIndex(Array.from(logits, (z, i) => (i === truth ? -Infinity : z)));
}

// ---- The parts of the panel ----

function thumbnails({ images, texts, labels, classes, runnersUp }, change) {
  const truth = (i) => `true class ${classes[labels[i]]}`;
  const choose = (index) => change({ index, class_index: runnersUp[index] });
  const picker = texts.length ? textPicker(texts, truth, choose) : imagePicker(images, truth, choose);
  return { element: picker.element, draw: (view) => picker.draw(view.index) };
}

function textPicker(texts, name, choose) {
  const excerpts = texts.map((text, i) => {
    const said = `text ${i + 1} of ${texts.length}, ${name(i)}: ${text}`;
    return radio(html("span", {}, text), { class: "excerpt", title: text, "aria-label": said });
  });
  const element = radioGroup("Text", "excerpts", excerpts, choose);
  return { element, draw: (chosen) => markChosen(excerpts, chosen) };
}

function temperatureControl(model, change) {
  const now = () => model.get("temperature");
  // Evenly on the logarithmic scale, upwards. While it plays, Python is not told.
  const player = makePlayer({
    last: 1,
    seconds: PLAY_SECONDS,
    stepwise: false,
    now: () => onScale(now()),
    show: (place) => change({ temperature: fromScale(place) }, { save: false }),
    rest: () => change({}),
  });
  const goTo = (T) => {
    player.stop();
    change({ temperature: T });
  };
  const next = () => goTo(now() >= HIGHEST ? LOWEST : nextStep(now(), 1));
  const bar = transport(player, next, () => change(model.get("defaults")));
  const slider = keepKeys(
    html("input", { type: "range", min: 0, max: 1, step: 0.001, "aria-label": "Temperature" }),
  );
  const value = html("output", { class: "value" });
  slider.addEventListener("input", () => goTo(fromScale(Number(slider.value))));
  const [up, down] = [1, -1].map((direction) => () => goTo(nextStep(now(), direction)));
  onKeys(slider, {
    ...{ ArrowRight: up, ArrowUp: up, ArrowLeft: down, ArrowDown: down, " ": player.toggle },
    PageUp: () => goTo(Math.min(2 * now(), HIGHEST)),
    PageDown: () => goTo(Math.max(now() / 2, LOWEST)),
    Home: () => goTo(LOWEST),
    End: () => goTo(HIGHEST),
  });
  const ticks = TICKS.map((T) => html("span", { style: `--share: ${onScale(T)}` }, temperatureText(T)));
  const axis = html("div", { class: "ticks", "aria-hidden": "true" }, ...ticks);
  return {
    element: html(
      "div",
      { class: "temperature" },
      html("p", { class: "name" }, "Temperature ", html("i", {}, "T"), " = ", value),
      html("div", { class: "slider" }, slider, axis),
      html("div", { class: "buttons" }, ...bar.buttons),
    ),
    draw(view) {
      value.textContent = temperatureText(view.T);
      slider.value = onScale(view.T);
      slider.setAttribute("aria-valuetext", `temperature ${temperatureText(view.T)}`);
      bar.draw();
    },
    stop: player.stop,
  };
}

function subject({ images, texts }) {
  const canvas = html("canvas", { class: "big", role: "img" }), text = html("p", { class: "text" });
  const rows = {
    kl: ["KL(teacher ‖ student)", "nats"],
    cross: ["Cross-entropy: this plus the teacher’s entropy", "nats"],
  };
  const values = Object.fromEntries(Object.keys(rows).map((name) => [name, html("b")]));
  const readings = Object.entries(rows).map(([name, [text, unit]]) => {
    return html("p", {}, html("span", {}, text), html("br"), values[name], ` ${unit}`);
  });
  const truth = html("b");
  let painted = null;
  return {
    element: html(
      "div",
      { class: "subject" },
      html("div", {}, texts.length ? text : canvas, html("p", { class: "truth" }, "true class ", truth)),
      html("div", { class: "readings" }, ...readings),
    ),
    draw(view) {
      if (texts.length) setText(text, texts[view.index]);
      else if (painted !== view.index) fillPixels(canvas, images.shape, images.colours[view.index]);
      painted = view.index;
      const name = view.classes[view.truth];
      setAttributes(canvas, { "aria-label": `The image chosen; its true class is ${name}` });
      setText(truth, name);
      values.kl.textContent = shortNumber(Math.max(kl(view.teacher, view.student, view.T), 0));
      values.cross.textContent = shortNumber(crossEntropy(view.teacher, view.student, view.T));
    },
  };
}

// How long a bar is, 0 to 1, of the logarithm of its probability; and where the ticks are.
const LINEAR = { ticks: [0, 0.5, 1], length: (logP) => Math.exp(logP), place: (tick) => tick, text: String };
const LOG = {
  ticks: [-6, -4, -2, 0],
  length: (logP) => clamp(1 + logP / Math.LN10 / 6, 0, 1),
  place: (exponent) => 1 + exponent / 6,
  text: (exponent) => (exponent === 0 ? "1" : powerOfTen(exponent)),
};

function bars({ classes }, change) {
  const hatch = stripes(6, svg("path", { class: "stripe", d: "M0 0V6" }));
  const rows = classes.map((name) => classRow(name, hatch.paint));
  const groups = rows.map(({ group }) => group);
  const axis = svg("g", { class: "axis", "aria-hidden": "true" });
  const teacher = svg("text", { class: "teacher head", "text-anchor": "end" });
  const student = svg("text", { class: "student head" }, "Student");
  const choose = (class_index) => change({ class_index });
  const list = radioGroup("Class written out in the formula", "", groups, choose, svg, "g");
  const picture = svg("svg", { class: "bars" }, hatch.pattern, axis, teacher, student, list);
  const permute = checkbox("Permute the dark knowledge", (on) => change({ permuted: on }));
  const logScale = checkbox("Log scale", (on) => change({ log_scale: on }));
  const switches = html("div", { class: "switches" }, logScale.element, permute.element);
  let axisDrawn = null;
  return {
    element: html("div", { class: "comparison" }, switches, picture),
    draw(view, { em, width }) {
      const room = roomFor(classes, em, width), lengths = view.logScale ? LOG : LINEAR;
      setAttributes(picture, { width, height: room.bottom + 2.8 * em });
      setAttributes(teacher, { x: room.middle - room.gutter / 2, y: 1.1 * em });
      setAttributes(student, { x: room.middle + room.gutter / 2, y: 1.1 * em });
      setText(teacher, view.permuted ? "Teacher, permuted" : "Teacher");
      const wanted = [view.logScale, width, em].join();
      if (axisDrawn !== wanted) axis.replaceChildren(...axisOf(lengths, room));
      axisDrawn = wanted;
      rows.forEach((row, i) => row.draw(i, view, lengths, room));
      markChosen(groups, view.chosen);
      logScale.input.checked = view.logScale;
      permute.input.checked = view.permuted;
    },
  };
}

// Where the bars are: to both sides of a gutter, in which the names of the classes stand.
function roomFor(classes, em, width) {
  const longest = Math.max(...classes.map((name) => name.length));
  const gutter = Math.max(3.2, 0.65 * longest + 1.2) * em, numbers = 4.9 * em;
  const [top, height] = [1.7 * em, 1.65 * em], bottom = top + classes.length * height;
  const length = Math.max((width - gutter) / 2 - numbers, 1);
  return { middle: width / 2, gutter, length, top, height, bottom, em, width };
}

// A class: its name, both bars and both probabilities.
function classRow(className, paint) {
  const row = {
    band: svg("rect", { class: "band" }),
    name: svg("text", { class: "class-name", "text-anchor": "middle" }, className),
    truth: svg("text", { class: "true-mark", "text-anchor": "middle" }, "true"),
    teacher: svg("rect", { class: "teacher bar" }),
    student: svg("rect", { class: "student bar", fill: paint }),
    teacherValue: svg("text", { class: "number" }),
    studentValue: svg("text", { class: "number", "text-anchor": "end" }),
  };
  const group = svg("g", { role: "radio", class: "row" }, ...Object.values(row));
  function draw(i, view, lengths, { middle, gutter, length, top, height, em, width }) {
    const y = top + i * height, baseline = y + height / 2 + 0.36 * em, truth = i === view.truth;
    const [q, p] = [view.logQ[i], view.logP[i]].map((logP) => lengths.length(logP) * length);
    const bar = { y: y + 0.16 * height, height: 0.68 * height };
    setAttributes(row.band, { x: 0, y, width, height });
    setAttributes(row.teacher, { ...bar, x: middle - gutter / 2 - q, width: q });
    setAttributes(row.student, { ...bar, x: middle + gutter / 2, width: p });
    setAttributes(row.name, { x: middle, y: truth ? baseline - 0.3 * em : baseline });
    setAttributes(row.truth, { x: middle, y: baseline + 0.45 * em });
    row.truth.style.display = truth ? "" : "none";
    setAttributes(row.teacherValue, { x: 0.4 * em, y: baseline });
    setAttributes(row.studentValue, { x: width - 0.4 * em, y: baseline });
    const [theirs, ours] = [probability(view.logQ[i]), probability(view.logP[i])];
    setText(row.teacherValue, theirs);
    setText(row.studentValue, ours);
    const label = `class ${className}${truth ? " (true)" : ""}: teacher ${theirs}, student ${ours}`;
    setAttributes(group, { "aria-label": label });
  }
  return { group, draw };
}

function axisOf({ ticks, text, place }, { middle, gutter, length, top, bottom, em }) {
  const shown = length < 8 * em ? [ticks[0], ticks.at(-1)] : ticks, centred = { "text-anchor": "middle" };
  const marks = shown.flatMap((tick) =>
    [-1, 1].flatMap((side) => {
      const x = middle + side * (gutter / 2 + place(tick) * length);
      return [svg("line", { x1: x, x2: x, y1: top, y2: bottom }),
        words(x, bottom + 1.2 * em, text(tick), centred)];
    })
  );
  return [...marks, words(middle, bottom + 2.5 * em, "probability", centred)];
}

function fraction(above, below) {
  const bar = html("span", { class: "below" }, ...[below].flat());
  return html("span", { class: "fraction" }, html("span", { class: "above" }, ...[above].flat()), bar);
}

function symbol(letter, subscript) {
  return html("span", {}, html("i", {}, letter), html("sub", {}, subscript));
}

function sumOf(T) {
  const j = () => html("i", {}, "j");
  return ["Σ", html("sub", {}, j()), " exp(", symbol("z", j()), " / ", T, ")"];
}

function equals() {
  return html("span", { class: "equals" }, "=");
}

function formula() {
  const general = html(
    "div",
    { class: "general" },
    symbol("p", html("i", {}, "i")),
    equals(),
    fraction(["exp(", symbol("z", html("i", {}, "i")), " / ", html("i", {}, "T"), ")"],
      sumOf(html("i", {}, "T"))),
  );
  const lines = html("div", { class: "lines" });

  function line(who, logits, logs, view) {
    const T = temperatureText(view.T);
    const z = minus(logits[view.chosen].toFixed(2));
    const scaled = logits[view.chosen] / view.T;
    const [above, below] = [fromLog(scaled), fromLog(scaled - logs[view.chosen])];
    const result = html("mark", {}, probability(logs[view.chosen]));
    const name = view.classes[view.chosen];
    return [
      html("span", { class: `who ${who.toLowerCase()}` }, who),
      html(
        "span",
        { class: "working" },
        html("span", {}, symbol("p", html("mark", {}, name)), equals(),
          fraction(`exp(${z} / ${T})`, sumOf(T))),
        html("span", {}, equals(), fraction(above, below)),
        html("span", {}, equals(), result),
      ),
    ];
  }

  return {
    element: html("div", { class: "formula" }, general, lines),
    draw(view) {
      lines.replaceChildren(
        ...line("Teacher", view.teacher, view.logQ, view),
        ...line("Student", view.student, view.logP, view),
      );
    },
  };
}

// ---- The curves over the temperature ----

const GRID = Array.from({ length: 81 }, (_, i) => LOWEST * (HIGHEST / LOWEST) ** (i / 80));

const CURVES = [
  {
    title: "Entropy, bits",
    lines: [
      { name: "teacher", className: "teacher", value: (m) => m.teacherBits },
      { name: "student", className: "student", value: (m) => m.studentBits },
    ],
    range: (_values, view) => [0, Math.log2(view.classes.length) * 1.25],
    ticks: (_range, view) => [0, 1, 2, 3, 4, 5, 6, 7].filter((tick) => tick < Math.log2(view.classes.length)),
    reference: (view) => [Math.log2(view.classes.length), `most: log₂ ${view.classes.length}`],
  },
  {
    title: "Gradient size, nats per logit",
    log: true,
    lines: [
      { name: "with T²", className: "scaled", value: (m) => m.scaled },
      { name: "without", className: "unscaled", value: (m) => m.unscaled },
    ],
    range: decades,
    ticks: decadeTicks,
    reference: (view) => [view.limit, "logit matching"],
  },
  {
    title: "Angle to logit matching",
    unit: "°",
    lines: [{ name: "angle", className: "scaled", value: (m) => m.degrees }],
    range: (values) => (Math.max(...values) > 90 ? [0, 180] : [0, 90]),
    ticks: ([, high]) => (high > 90 ? [0, 45, 90, 135, 180] : [0, 30, 60, 90]),
  },
];

function decades(values, view) {
  const positive = [...values, view.limit].filter((value) => value > 1e-12);
  if (positive.length === 0) return [0.1, 1];
  const low = Math.floor(Math.log10(Math.min(...positive)));
  return [10 ** low, 10 ** Math.max(Math.ceil(Math.log10(Math.max(...positive)) + 0.1), low + 1)];
}

function decadeTicks([low, high]) {
  const [first, last] = [Math.round(Math.log10(low)), Math.round(Math.log10(high))];
  const every = Math.max(1, Math.ceil((last - first) / 5));
  const count = Math.floor((last - first) / every) + 1;
  return Array.from({ length: count }, (_, i) => 10 ** (first + i * every));
}

function curve(spec) {
  const unit = spec.unit ?? "";
  const values = spec.lines.map(() => html("b"));
  const key = spec.lines.map((line, i) => {
    return html("span", {}, lineSample(line.className), `${line.name} `, values[i]);
  });
  const frame = svg("g", { class: "axis" });
  const marker = svg("line", { class: "marker" });
  const dots = spec.lines.map((line) => svg("circle", { class: `dot ${line.className}` }));
  const picture = svg("svg", { role: "img" }, frame, marker, ...dots);
  const element = html(
    "div",
    { class: "curve" },
    html("p", { class: "title" }, spec.title),
    html("p", { class: "key" }, ...key),
    picture,
  );

  // The curves change with the image and the permutation only, the marker with the temperature.
  let drawn = null, plot = null, box = null;

  function drawFrame(view, width, em) {
    const matching = logitMatchingGradient(view.student, view.teacher);
    const over = GRID.map((T) => measures(view.teacher, view.student, matching, T));
    const columns = spec.lines.map((line) => over.map(line.value));
    const range = spec.range(columns.flat().filter(Number.isFinite), view);
    const [level, name] = spec.reference?.(view) ?? [0];
    const referred = level > 1e-12;
    box = { left: 2.9 * em, right: width - 0.9 * em, top: 0.6 * em, bottom: 7.6 * em };
    plot = chart({
      box,
      em,
      x: { range: [LOWEST, HIGHEST], log: true, ticks: [0.5, 1, 4, 16, 100], text: temperatureText,
        title: "temperature T" },
      y: { range, log: spec.log, ticks: spec.ticks(range, view), text: (tick) => tickText(tick) + unit },
      levels: referred ? [{ value: level, class: "reference" }] : [],
    });
    const { x, y } = plot, inside = { x, y: (value) => clamp(y(value), box.top, box.bottom) };
    const note = () => words(box.right, y(level) - 0.5 * em, name, { class: "note", "text-anchor": "end" });
    frame.replaceChildren(...plot.drawn, ...(referred ? [note()] : []),
      ...spec.lines.map((line, k) =>
        lineThrough(GRID.map((T, i) => [T, columns[k][i]]), inside, { class: `line ${line.className}` })
      ));
    plot.y = inside.y;
    setAttributes(picture, { width, height: box.bottom + 2.7 * em });
  }

  function tickText(tick) {
    return spec.log && (tick < 0.01 || tick > 100) ? powerOfTen(Math.round(Math.log10(tick))) : String(tick);
  }

  return {
    element,
    draw(view, { em, width }) {
      const wanted = [view.index, view.permuted, width, em].join();
      if (drawn !== wanted) drawFrame(view, width, em);
      drawn = wanted;
      const x = plot.x(view.T);
      setAttributes(marker, { x1: x, x2: x, y1: box.top, y2: box.bottom });
      spec.lines.forEach((line, k) => {
        const value = line.value(view);
        values[k].textContent = shortNumber(value) + (Number.isFinite(value) ? unit : "");
        dots[k].style.display = Number.isFinite(value) ? "" : "none";
        if (Number.isFinite(value)) setAttributes(dots[k], { cx: x, cy: plot.y(value), r: 0.3 * em });
      });
      const reading = spec.lines.map((line, k) => `${line.name} ${values[k].textContent}`).join(", ");
      picture.setAttribute("aria-label", `${spec.title}, over the temperature. Now: ${reading}`);
    },
  };
}

// The picture in one sentence, spoken once it has come to rest.
function sentence() {
  const element = html("p", { class: "sentence", role: "status", "aria-live": "polite" });
  let timer = null;
  const say = (view) => {
    const wrong = bestWrong(view.teacher, view.truth);
    const number = (value) => shortNumber(Math.max(value, 0));
    const [right, next] = [view.truth, wrong].map((i) => probability(view.logQ[i]));
    element.textContent =
      `T = ${temperatureText(view.T)}: the ${view.permuted ? "permuted " : ""}teacher gives ` +
      `${view.classes[view.truth]} (true) ${right} and, of the others, most to ${view.classes[wrong]}: ` +
      `${next}. ` +
      `Its entropy is ${number(view.teacherBits)} bits; KL to the student ` +
      `${number(kl(view.teacher, view.student, view.T))} nats.`;
  };
  return {
    element,
    draw(view) {
      clearTimeout(timer);
      timer = setTimeout(say, element.textContent ? 200 : 0, view);
    },
    stop: () => clearTimeout(timer),
  };
}

const CAPTION =
  "How to read this: each row is a class, the teacher’s probability grows to the left and the " +
  "student’s to the right; raise the temperature and what the teacher knows about the wrong classes " +
  "comes into view. Click a row to write it out in the formula.";

// ---- The panel ----

const TRAITS = ["temperature", "index", "class_index", "log_scale", "permuted"];

function render({ model, el }) {
  return openPanel(el, "kdviz-soft-targets", (root, guarded) => assemble(model, root, guarded));
}

function assemble(model, root, guarded) {
  const panel = html("div", { class: "panel" });
  root.append(panel);
  const known = decode(model), resting = restingChange(model), change = guarded(resting.change);
  const picker = thumbnails(known, change), temperature = temperatureControl(model, change);
  const image = subject(known), comparison = bars(known, change), written = formula();
  const curves = CURVES.map(curve), told = sentence();
  panel.append(
    picker.element,
    temperature.element,
    html("div", { class: "stage" }, image.element, comparison.element),
    written.element,
    html("div", { class: "curves" }, ...curves.map((part) => part.element)),
    told.element,
    html("p", { class: "caption" }, CAPTION),
  );
  const parts = [picker, temperature, image, comparison, written, ...curves, told];
  const drawn = drawnByFrame({ model, traits: TRAITS, root, panel, parts, look: () => look(model, known),
    guarded });
  return () => {
    temperature.stop();
    resting.end();
    told.stop();
    drawn.end();
  };
}

export default { render };
