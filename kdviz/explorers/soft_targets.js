// The soft-target explorer: teacher and student on one image, at any temperature.
//
// Mathematics, then formats and elements, then the parts of the panel, then `render`. A part is a
// function that makes its elements once and returns `{ element, draw }`; `draw(view)` brings them up to
// date with a view, which `look(model)` computes afresh. The model's traits are the only state.

// ---- Mathematics: everything in nats, from logits; kdviz.knowledge computes the same in torch ----

export function logSoftmax(logits, T = 1) {
  const scaled = logits.map((z) => z / T);
  // Without the largest taken out first, exp would overflow.
  const top = Math.max(...scaled);
  const logTotal = top + Math.log(scaled.reduce((sum, z) => sum + Math.exp(z - top), 0));
  return scaled.map((z) => z - logTotal);
}

export function softmax(logits, T = 1) {
  return logSoftmax(logits, T).map(Math.exp);
}

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
  const mean = difference.reduce((sum, d) => sum + d, 0) / difference.length;
  return difference.map((d) => (d - mean) / difference.length);
}

export function norm(vector) {
  return Math.hypot(...vector);
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
const STEPS = [
  0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.25, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10, 12, 16, 20, 25, 32, 40, 50, 64,
  80, 100,
];
const TICKS = [0.5, 1, 2, 4, 8, 16, 32, 100];
const PLAY_SECONDS = 9;

// Share of the logarithmic scale, 0 to 1, and back.
function toShare(T) {
  return Math.log(T / LOWEST) / Math.log(HIGHEST / LOWEST);
}

function fromShare(share) {
  return clamp(Number((LOWEST * (HIGHEST / LOWEST) ** share).toPrecision(3)), LOWEST, HIGHEST);
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

// ---- Elements ----


function checkbox(text, onChange) {
  const input = keepKeys(html("input", { type: "checkbox" }));
  input.addEventListener("change", () => onChange(input.checked));
  return { input, element: html("label", { class: "switch" }, input, text) };
}

// A short sample of a line, as the key of a plot.
function lineSample(className) {
  const line = svg("line", { class: `line ${className}`, x1: 1, x2: 23, y1: 5, y2: 5 });
  return svg("svg", { class: "sample", viewBox: "0 0 24 10", "aria-hidden": "true" }, line);
}

// ---- What there is to see ----

function look(model) {
  const index = model.get("index");
  const permuted = model.get("permuted");
  const own = model.get("teacher_logits")[index];
  const teacher = permuted ? model.get("permutations")[index].map((i) => own[i]) : own;
  const student = model.get("student_logits")[index];
  const T = model.get("temperature");
  const matching = logitMatchingGradient(student, teacher);
  return {
    index,
    permuted,
    T,
    teacher,
    student,
    logQ: logSoftmax(teacher, T),
    logP: logSoftmax(student, T),
    classes: model.get("classes"),
    truth: model.get("labels")[index],
    chosen: model.get("class_index"),
    logScale: model.get("log_scale"),
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
  return logits.reduce((best, z, i) => (i !== truth && (best < 0 || z > logits[best]) ? i : best), -1);
}

// ---- The parts of the panel ----

function imagePicker(model, change) {
  const images = imagesOf(model);
  const [labels, classes, shape] = ["labels", "classes", "image_shape"].map((name) => model.get(name));
  const thumbnails = labels.map((label, i) => {
    const canvas = html("canvas", { "aria-hidden": "true" });
    fillPixels(canvas, shape, images[i]);
    const name = `image ${i + 1} of ${labels.length}, true class ${classes[label]}`;
    return radio(canvas, { class: "thumbnail", "aria-label": name });
  });
  const element = radioGroup("Image", "thumbnails", thumbnails, (index) => {
    const runnerUp = bestWrong(model.get("teacher_logits")[index], labels[index]);
    change({ index, class_index: runnerUp });
  });
  return {
    element,
    draw: (view) => markChosen(thumbnails, view.index),
    images,
  };
}

function temperatureControl(model, change) {
  const slider = keepKeys(
    html("input", { type: "range", min: 0, max: 1, step: 0.001, "aria-label": "Temperature" }),
  );
  const value = html("output", { class: "value" });
  const player = makePlayer(model, change, (playing) => {
    play.textContent = playing ? "Pause" : "Play";
  });
  const goTo = (T, step) => {
    player.stop();
    change({ temperature: T }, step);
  };
  const play = button("Play", player.toggle);
  const step = button("Step", () => {
    const T = model.get("temperature");
    goTo(T >= HIGHEST ? LOWEST : nextStep(T, 1));
  });
  const reset = button("Reset", () => {
    player.stop();
    change(model.get("defaults"));
  });
  slider.addEventListener("input", () => goTo(fromShare(Number(slider.value))));
  slider.addEventListener("keydown", (event) => {
    const T = model.get("temperature");
    const targets = {
      ArrowRight: () => nextStep(T, 1),
      ArrowUp: () => nextStep(T, 1),
      ArrowLeft: () => nextStep(T, -1),
      ArrowDown: () => nextStep(T, -1),
      PageUp: () => Math.min(2 * T, HIGHEST),
      PageDown: () => Math.max(T / 2, LOWEST),
      Home: () => LOWEST,
      End: () => HIGHEST,
    };
    if (event.key === " ") player.toggle();
    else if (event.key in targets) goTo(targets[event.key]());
    else return;
    event.preventDefault();
  });
  const ticks = TICKS.map((T) => {
    return html("span", { style: `--share: ${toShare(T)}` }, temperatureText(T));
  });
  const scale = html("div", { class: "ticks", "aria-hidden": "true" }, ...ticks);
  return {
    element: html(
      "div",
      { class: "temperature" },
      html("p", { class: "name" }, "Temperature ", html("i", {}, "T"), " = ", value),
      html("div", { class: "slider" }, slider, scale),
      html("div", { class: "buttons" }, play, step, reset),
    ),
    draw(view) {
      value.textContent = temperatureText(view.T);
      slider.value = toShare(view.T);
      slider.setAttribute("aria-valuetext", `temperature ${temperatureText(view.T)}`);
    },
    stop: player.stop,
  };
}

// Sweeps the temperature upwards, evenly on the logarithmic scale.
function makePlayer(model, change, onSwitch) {
  let frame = null;
  function stop() {
    if (frame === null) return;
    cancelAnimationFrame(frame);
    frame = null;
    onSwitch(false);
    change({});
  }
  function start() {
    const from = model.get("temperature") >= HIGHEST ? 0 : toShare(model.get("temperature"));
    let began = null;
    const advance = (now) => {
      began ??= now;
      const share = from + (now - began) / 1000 / PLAY_SECONDS;
      frame = requestAnimationFrame(advance);
      // While it plays, Python is not told of every frame, only where it stopped.
      change({ temperature: fromShare(Math.min(share, 1)) }, { save: false });
      if (share >= 1) stop();
    };
    frame = requestAnimationFrame(advance);
    onSwitch(true);
  }
  return { stop, toggle: () => (frame === null ? start() : stop()) };
}

function subject(picker, model) {
  const canvas = html("canvas", { class: "big", role: "img" });
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
      html("div", {}, canvas, html("p", { class: "truth" }, "true class ", truth)),
      html("div", { class: "readings" }, ...readings),
    ),
    draw(view) {
      if (painted !== view.index) fillPixels(canvas, model.get("image_shape"), picker.images[view.index]);
      painted = view.index;
      const name = view.classes[view.truth];
      setAttributes(canvas, { "aria-label": `The image chosen; its true class is ${name}` });
      setText(truth, name);
      values.kl.textContent = shortNumber(Math.max(kl(view.teacher, view.student, view.T), 0));
      values.cross.textContent = shortNumber(crossEntropy(view.teacher, view.student, view.T));
    },
  };
}

const LINEAR = { ticks: [0, 0.5, 1], share: (logP) => Math.exp(logP), text: String };
const LOG = {
  ticks: [-6, -4, -2, 0],
  share: (logP) => clamp(1 + logP / Math.LN10 / 6, 0, 1),
  text: (exponent) => (exponent === 0 ? "1" : powerOfTen(exponent)),
};

function bars(model, change, unique) {
  const classes = model.get("classes");
  const hatch = `kdviz-hatch-${unique}`;
  const stripe = svg("path", { class: "stripe", d: "M0 0V6" });
  const pattern = { id: hatch, width: 6, height: 6, patternUnits: "userSpaceOnUse" };
  const definitions = svg("defs", {}, svg("pattern", { ...pattern, patternTransform: "rotate(45)" }, stripe));
  const rows = classes.map((name) => ({
    band: svg("rect", { class: "band" }),
    name: svg("text", { class: "class-name", "text-anchor": "middle" }, name),
    truth: svg("text", { class: "true-mark", "text-anchor": "middle" }, "true"),
    teacher: svg("rect", { class: "teacher bar" }),
    student: svg("rect", { class: "student bar", fill: `url(#${hatch})` }),
    teacherValue: svg("text", { class: "number" }),
    studentValue: svg("text", { class: "number", "text-anchor": "end" }),
  }));
  const groups = rows.map((row) => svg("g", { role: "radio", class: "row" }, ...Object.values(row)));
  chooseByKeys(groups, (class_index) => change({ class_index }));
  const axis = svg("g", { class: "axis", "aria-hidden": "true" });
  let axisDrawn = null;
  const heads = [
    svg("text", { class: "teacher head", "text-anchor": "end" }),
    svg("text", { class: "student head" }, "Student"),
  ];
  const list = svg("g", { role: "radiogroup", "aria-label": "Class written out in the formula" }, ...groups);
  const picture = svg("svg", { class: "bars" }, definitions, axis, ...heads, list);
  const permute = checkbox("Permute the dark knowledge", (on) => change({ permuted: on }));
  const logScale = checkbox("Log scale", (on) => change({ log_scale: on }));

  function drawRow(row, i, view, scale, { middle, gutter, length, top, height, em, width }) {
    const y = top + i * height;
    const baseline = y + height / 2 + 0.36 * em;
    const truth = i === view.truth;
    const [q, p] = [scale.share(view.logQ[i]) * length, scale.share(view.logP[i]) * length];
    const bar = { y: y + 0.16 * height, height: 0.68 * height };
    setAttributes(row.band, { x: 0, y, width, height });
    setAttributes(row.teacher, { ...bar, x: middle - gutter / 2 - q, width: q });
    setAttributes(row.student, { ...bar, x: middle + gutter / 2, width: p });
    setAttributes(row.name, { x: middle, y: truth ? baseline - 0.3 * em : baseline });
    setAttributes(row.truth, { x: middle, y: baseline + 0.45 * em });
    row.truth.style.display = truth ? "" : "none";
    setAttributes(row.teacherValue, { x: 0.4 * em, y: baseline });
    setAttributes(row.studentValue, { x: width - 0.4 * em, y: baseline });
    setText(row.teacherValue, probability(view.logQ[i]));
    setText(row.studentValue, probability(view.logP[i]));
    setAttributes(groups[i], {
      "aria-label":
        `class ${view.classes[i]}${truth ? " (true)" : ""}: teacher ${row.teacherValue.textContent}, ` +
        `student ${row.studentValue.textContent}`,
    });
  }

  function drawAxis(scale, { middle, gutter, length, top, bottom, em }) {
    const ticks = length < 8 * em ? [scale.ticks[0], scale.ticks.at(-1)] : scale.ticks;
    const marks = ticks.flatMap((tick) => {
      const share = scale === LOG ? 1 + tick / 6 : tick;
      return [-1, 1].flatMap((side) => {
        const x = middle + side * (gutter / 2 + share * length);
        return [
          svg("line", { x1: x, x2: x, y1: top, y2: bottom }),
          svg("text", { x, y: bottom + 1.2 * em, "text-anchor": "middle" }, scale.text(tick)),
        ];
      });
    });
    const title = svg("text", { x: middle, y: bottom + 2.5 * em, "text-anchor": "middle" }, "probability");
    axis.replaceChildren(...marks, title);
  }

  return {
    element: html(
      "div",
      { class: "comparison" },
      html("div", { class: "switches" }, logScale.element, permute.element),
      picture,
    ),
    draw(view, { em, width }) {
      const longest = Math.max(...classes.map((name) => name.length));
      const gutter = Math.max(3.2, 0.65 * longest + 1.2) * em;
      const numbers = 4.9 * em;
      const [top, height] = [1.7 * em, 1.65 * em];
      const bottom = top + rows.length * height;
      const length = Math.max((width - gutter) / 2 - numbers, 1);
      const place = { middle: width / 2, gutter, length, top, height, bottom, em, width };
      const scale = view.logScale ? LOG : LINEAR;
      setAttributes(picture, { width, height: bottom + 2.8 * em });
      setAttributes(heads[0], { x: place.middle - gutter / 2, y: 1.1 * em });
      setAttributes(heads[1], { x: place.middle + gutter / 2, y: 1.1 * em });
      setText(heads[0], view.permuted ? "Teacher, permuted" : "Teacher");
      const wanted = [view.logScale, width, em].join();
      if (axisDrawn !== wanted) drawAxis(scale, place);
      axisDrawn = wanted;
      rows.forEach((row, i) => drawRow(row, i, view, scale, place));
      markChosen(groups, view.chosen);
      logScale.input.checked = view.logScale;
      permute.input.checked = view.permuted;
    },
  };
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
    fraction(["exp(", symbol("z", html("i", {}, "i")), " / ", html("i", {}, "T"), ")"], sumOf(html("i", {}, "T"))),
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
        html("span", {}, symbol("p", html("mark", {}, name)), equals(), fraction(`exp(${z} / ${T})`, sumOf(T))),
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
    range: (values, view) => [0, Math.log2(view.classes.length) * 1.25],
    ticks: (range, view) => [0, 1, 2, 3, 4, 5, 6, 7].filter((tick) => tick < Math.log2(view.classes.length)),
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
  const paths = spec.lines.map((line) => svg("path", { class: `line ${line.className}` }));
  const marker = svg("line", { class: "marker" });
  const dots = spec.lines.map((line) => svg("circle", { class: `dot ${line.className}` }));
  const picture = svg("svg", { role: "img" }, frame, ...paths, marker, ...dots);
  const element = html(
    "div",
    { class: "curve" },
    html("p", { class: "title" }, spec.title),
    html("p", { class: "key" }, ...key),
    picture,
  );

  // The curves change with the image and the permutation only, the marker with the temperature.
  let drawn = null;
  let scale = null;

  function makeScale(columns, view, width, em) {
    const finite = columns.flat().filter(Number.isFinite);
    const range = spec.range(finite, view);
    const place = { left: 2.9 * em, right: width - 0.9 * em, top: 0.6 * em, bottom: 7.6 * em };
    const along = spec.log ? Math.log : (value) => value;
    const share = (value) => (along(value) - along(range[0])) / (along(range[1]) - along(range[0]));
    return {
      ...place,
      range,
      x: (T) => place.left + toShare(T) * (place.right - place.left),
      y: (value) => place.bottom - clamp(share(value), 0, 1) * (place.bottom - place.top),
    };
  }

  function drawFrame(view, width, em) {
    const { left, right, top, bottom, range, x, y } = scale;
    const marks = spec.ticks(range, view).flatMap((tick) => {
      const text = spec.log && (tick < 0.01 || tick > 100) ? powerOfTen(Math.round(Math.log10(tick))) : String(tick);
      return [
        svg("line", { x1: left, x2: right, y1: y(tick), y2: y(tick) }),
        svg("text", { x: left - 0.4 * em, y: y(tick) + 0.33 * em, "text-anchor": "end" }, text + unit),
      ];
    });
    const temperatures = [0.5, 1, 4, 16, 100].map((T) => {
      return svg("text", { x: x(T), y: bottom + 1.2 * em, "text-anchor": "middle" }, temperatureText(T));
    });
    const title = svg("text", { x: (left + right) / 2, y: bottom + 2.4 * em, "text-anchor": "middle" }, "temperature T");
    frame.replaceChildren(...marks, ...temperatures, title);
    if (spec.reference && spec.reference(view)[0] > 1e-12) {
      const [value, text] = spec.reference(view);
      frame.append(
        svg("line", { class: "reference", x1: left, x2: right, y1: y(value), y2: y(value) }),
        svg("text", { class: "note", x: right, y: y(value) - 0.5 * em, "text-anchor": "end" }, text),
      );
    }
    setAttributes(picture, { width, height: bottom + 2.7 * em });
  }

  function drawLines(view, width, em) {
    const matching = logitMatchingGradient(view.student, view.teacher);
    const over = GRID.map((T) => measures(view.teacher, view.student, matching, T));
    const columns = spec.lines.map((line) => over.map(line.value));
    scale = makeScale(columns, view, width, em);
    drawFrame(view, width, em);
    paths.forEach((path, k) => {
      const points = GRID.map((T, i) => [scale.x(T), columns[k][i]]).filter(([, v]) => Number.isFinite(v));
      const d = points.map(([x, v]) => `${x.toFixed(1)} ${scale.y(v).toFixed(1)}`).join("L");
      path.setAttribute("d", d && `M${d}`);
    });
  }

  return {
    element,
    draw(view, { em, width }) {
      const wanted = [view.index, view.permuted, width, em].join();
      if (drawn !== wanted) drawLines(view, width, em);
      drawn = wanted;
      const x = scale.x(view.T);
      setAttributes(marker, { x1: x, x2: x, y1: scale.top, y2: scale.bottom });
      spec.lines.forEach((line, k) => {
        const value = line.value(view);
        values[k].textContent = shortNumber(value) + (Number.isFinite(value) ? unit : "");
        dots[k].style.display = Number.isFinite(value) ? "" : "none";
        if (Number.isFinite(value)) setAttributes(dots[k], { cx: x, cy: scale.y(value), r: 0.3 * em });
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
      `${view.classes[view.truth]} (true) ${right} and, of the others, most to ${view.classes[wrong]}: ${next}. ` +
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
  // Python is told when the reader rests: talking to it at every move would cost frames.
  let resting = null;
  const change = guarded((values, { save = true } = {}) => {
    for (const [name, value] of Object.entries(values)) model.set(name, value);
    clearTimeout(resting);
    if (save) resting = setTimeout(() => model.save_changes(), 100);
  });
  const picker = imagePicker(model, change);
  const temperature = temperatureControl(model, change);
  const image = subject(picker, model);
  const comparison = bars(model, change, Math.random().toString(36).slice(2));
  const written = formula();
  const curves = CURVES.map(curve);
  const said = sentence();
  const parts = [picker, temperature, image, comparison, written, ...curves, said];
  panel.append(
    picker.element,
    temperature.element,
    html("div", { class: "stage" }, image.element, comparison.element),
    written.element,
    html("div", { class: "curves" }, ...curves.map((part) => part.element)),
    said.element,
    html("p", { class: "caption" }, CAPTION),
  );

  let frame = null;
  const draw = guarded(() => {
    frame = null;
    if (panel.clientWidth === 0) return;
    const view = look(model);
    const em = parseFloat(getComputedStyle(panel).fontSize);
    // All widths are read before anything is written, so the browser lays the page out once a frame.
    const widths = parts.map((part) => part.element.clientWidth);
    parts.forEach((part, i) => part.draw(view, { em, width: widths[i] }));
  });
  // However many values change, the picture is drawn once a frame.
  const schedule = () => {
    frame ??= requestAnimationFrame(draw);
  };
  const unfollow = follow(model, TRAITS, schedule);
  const observer = new ResizeObserver(schedule);
  observer.observe(root);
  draw();

  return () => {
    temperature.stop();
    clearTimeout(resting);
    model.save_changes();
    said.stop();
    observer.disconnect();
    cancelAnimationFrame(frame);
    unfollow();
  };
}

export default { render };
