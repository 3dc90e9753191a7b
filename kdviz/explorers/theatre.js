// The training theatre: who teaches whom, what each loss term asks for, and the student as it learns.

const LABELS = BASELINE, PULSE = "#e69f00";
// The terms of one source differ in lightness and in dashes, not in colour alone.
const LINES = {
  teacher: [["#0072b2", ""], ["#56a5d8", "9 3"], ["#003f63", "3 3"], ["#7aa6c2", "12 3 3 3"]],
  labels: [["#5f5f5f", "2 4"], ["#9a9a9a", "6 4"]],
};
const MEASURES = [[STUDENT, "8 4"], [INK, ""], ["#009e73", "3 3"], ["#cc79a7", "12 3 3 3"], ["#8a6d00", "6 2"]];
const FIRST = ["accuracy", "agreement", "CKA"];
const WIDTH = 440;
const BOX = 94;
const MAIN_KNOBS = 4;
const PACES = [60, 20, 0];

function written(x, y, text, kind = "", attributes = {}) {
  return words(x, y, text, { class: kind, ...attributes });
}

function unpacked(text) {
  return Array.from(numbersOf(text, Int16Array), (hundredths) => hundredths / 100);
}

function softmax(logits, temperature) {
  const highest = Math.max(...logits);
  const powers = logits.map((logit) => Math.exp((logit - highest) / temperature));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}

function short(number) {
  if (number === null || number === undefined) return "?";
  if (number === 0) return "0";
  const size = Math.abs(number);
  if (size >= 1e5 || size < 1e-3) return minus(number.toExponential(1));
  return minus(size >= 1 ? number.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 3) : number.toPrecision(3));
}

const setting = (number) => String(Math.round(number * 1e6) / 1e6);
const percent = (share) => `${(100 * share).toFixed(1)} %`;
const isShare = (name) => /accuracy|agreement/.test(name);
const measured = (name, value) => (isShare(name) ? percent(value) : short(value));
const isOver = (model) => !model.get("live") || ["done", "stopped"].includes(model.get("state"));

// The newest record up to a step. Steps, not places: the frames of a long run are thinned.
function placeOf(frames, at) {
  if (at === null) return frames.length - 1;
  return Math.max(0, frames.findLastIndex(({ step }) => step <= at));
}

// Of a run in stages: which one took a step. The state before the first step belongs to the first.
const stageOf = (model, step) => Math.max(1, Math.ceil((step * model.get("stages")) / model.get("steps")));

// What the page shows at one moment: a record, or the newest under the settings of the next step.
function moment(model, at) {
  const frames = model.get("frames");
  const place = placeOf(frames, at);
  const frame = frames[place];
  const settings = at === null && !isOver(model) ? model.get("settings") : frame.settings;
  const parts = model.get("terms").filter((term) => `${term.name}.weight` in settings).map((term) => {
    const weight = settings[`${term.name}.weight`], value = frame.losses[term.name] ?? null;
    return { ...term, weight, value, part: value === null ? null : weight * value };
  });
  const size = (part) => Math.abs(part.part ?? part.weight);
  const whole = parts.reduce((sum, part) => sum + size(part), 0) || 1;
  for (const part of parts) part.share = size(part) / whole;
  const address = Object.keys(settings).find((name) => name.endsWith(".temperature"));
  // The record's own sum, unless a knob has been turned since.
  const turned = Object.keys(settings).some((name) => settings[name] !== frame.settings[name]);
  const total = turned ? parts.reduce((sum, part) => sum + (part.part ?? 0), 0) : frame.total;
  return { frames, place, frame, stage: stageOf(model, frame.step), settings, parts, total, temperature: address ? settings[address] : 1 };
}

function looks(terms) {
  const seen = { teacher: 0, labels: 0 };
  return new Map(terms.map((term) => {
    const kinds = LINES[term.source];
    return [term.name, kinds[seen[term.source]++ % kinds.length]];
  }));
}

const product = ({ weight, value, part }) =>
  (value === null ? `weight ${setting(weight)}` : `${setting(weight)} × ${short(value)} = ${short(part)}`);

// What an arrow is, in words: the loss, what it asks for, its settings and what it comes to.
function meaning({ name, title, about, weight, value, part, share }, view) {
  const others = Object.keys(view.settings).filter((address) => address.startsWith(`${name}.`) && address !== `${name}.weight`);
  const settings = others.map((address) => `, ${address.slice(name.length + 1).replaceAll("_", " ")} ${setting(view.settings[address])}`).join("");
  const now = value === null ? "" : `; loss ${short(value)}, its part ${short(part)}: ${percent(share)} of the whole`;
  const named = about.toLowerCase().startsWith(title) ? "" : `${title}: `;
  return `${named}${about} Weight ${setting(weight)}${settings}${now}.`;
}

// Who teaches whom: a box for each source, a box for the student, an arrow for each term.
function diagram(model, choose) {
  const picture = svg("svg", {});
  const arrows = svg("g", {});
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  let drawn = "", parts = {}, studentWords;

  // A name, and below it, where there is one, a number.
  function box(x, y, height, text, colour, dashes, number = null) {
    const lines = text.split(" "), half = 8 * (lines.length - (number ? 0 : 1));
    const name = written(x + BOX / 2, y + height / 2 + 5 - half, "", "middle title");
    if (number) setAttributes(number, { x: x + BOX / 2, y: y + height / 2 + 5 + half });
    lines.forEach((line, i) => {
      const fit = line.length > 11 ? { textLength: BOX - 8, lengthAdjust: "spacingAndGlyphs" } : {};
      name.append(svg("tspan", { x: x + BOX / 2, dy: i ? 16 : 0, ...fit }, line));
    });
    const frame = svg("rect", { x, y, width: BOX, height, rx: 8, fill: "#fff", stroke: colour, "stroke-width": 2.5, "stroke-dasharray": dashes });
    return svg("g", {}, frame, name);
  }

  function build(terms, stage) {
    const [teacher, student] = model.get("names");
    // Of all stages, so that the page stands still where another one begins.
    const all = model.get("terms");
    const slot = Math.max(44, Math.min(72, 180 / all.length));
    const height = Math.max(150, slot * all.length + 26);
    const top = 24 + (height - 26 - slot * terms.length) / 2;
    const colours = looks(all);
    setAttributes(picture, { viewBox: `0 0 ${WIDTH} ${height}` });
    const made = [written(0, 14, `Who teaches whom${stage}: weight × loss = its part`, "title")];
    parts = {};
    let y = top;
    arrows.replaceChildren();
    for (const source of ["teacher", "labels"]) {
      const own = terms.filter((term) => term.source === source);
      if (!own.length) continue;
      const name = source === "teacher" ? teacher : "labels";
      made.push(box(2, y + 4, slot * own.length - 8, name, source === "teacher" ? TEACHER : LABELS, source === "teacher" ? "" : "2 4"));
      for (const term of own) {
        parts[term.name] = arrow(term, y, slot, colours.get(term.name)[0]);
        arrows.append(parts[term.name].group);
        y += slot;
      }
    }
    studentWords = written(0, 0, "", "middle quiet");
    made.push(box(WIDTH - BOX - 2, top + 4, slot * terms.length - 8, student, STUDENT, "8 4", studentWords));
    if (terms.length > 1) {
      setAttributes(arrows, { tabindex: 0, role: "group", "aria-label": "The arrows. Arrow keys choose one." });
      keepKeys(arrows);
    } else arrows.removeAttribute("tabindex");
    picture.replaceChildren(...made, arrows, studentWords);
  }

  function arrow(term, y, slot, colour) {
    const middle = y + slot / 2;
    const left = BOX + 6, right = WIDTH - BOX - 8, centre = (left + right) / 2;
    const line = svg("path", { d: `M ${left} ${middle} H ${right - 16}`, stroke: colour, fill: "none" });
    const head = svg("path", { d: `M ${right} ${middle} l -18 -9 v 18 z`, fill: colour });
    const comet = svg("path", { d: `M ${left} ${middle} H ${right - 16}`, stroke: PULSE, fill: "none", "stroke-linecap": "round",
      "stroke-dasharray": "0.1 400", "stroke-dashoffset": 2, opacity: 0 });
    const hit = svg("rect", { class: "hit", x: left - 1, y: y + 2, width: right - left + 4, height: slot - 4, rx: 6 });
    // Where many arrows leave room for one line only, name and sum share it.
    const tight = slot < 56;
    const title = written(centre, middle - 12, term.title, "middle"), sum = written(centre, middle + 22, "", "middle quiet");
    const tip = svg("title", {});
    const group = svg("g", { class: "arrow" }, tip, hit, line, head, comet, title);
    if (!tight) group.append(sum);
    const write = (text) => {
      if (tight) title.textContent = `${term.title}: ${text}`;
      else sum.textContent = text;
    };
    // To point at an arrow is enough to be told what it asks for.
    for (const kind of ["click", "pointerenter"]) group.addEventListener(kind, () => choose(term.name));
    return { group, line, comet, tip, write };
  }

  // A light runs along each arrow, as large as the part that its term has in the loss.
  function pulse(view) {
    if (still.matches) return;
    for (const part of view.parts) {
      const { comet } = parts[part.name];
      if (!comet.animate || !part.part) continue;
      const size = 6 + 8 * part.share;
      comet.setAttribute("stroke-width", size);
      comet.getAnimations().forEach((old) => old.cancel());
      const end = 2 * BOX + 30 - WIDTH;
      comet.animate([{ strokeDashoffset: 2, opacity: 0.95 }, { strokeDashoffset: end, opacity: 0.95 }], { duration: 550 });
    }
  }

  function draw(view, chosen) {
    const stage = model.get("stages") > 1 ? `, stage ${view.stage} of ${model.get("stages")}` : "";
    const key = JSON.stringify([view.parts.map(({ name, source }) => [name, source]), model.get("terms").length, model.get("names"), stage]);
    if (key !== drawn) build(view.parts, stage);
    drawn = key;
    for (const part of view.parts) {
      const { group, line, tip, write } = parts[part.name];
      line.setAttribute("stroke-width", (2 + 11 * part.share).toFixed(1));
      write(product(part));
      tip.textContent = meaning(part, view);
      group.classList.toggle("chosen", part.name === chosen);
    }
    const { accuracy } = view.frame.measures;
    studentWords.textContent = accuracy === undefined || accuracy === null ? "" : percent(accuracy);
  }

  return { picture, arrows, draw, pulse };
}

const BARS = { left: 132, top: 26, floor: 158, height: 196 };

// What teacher and student say of the chosen image, at the temperature of the objective.
function softTargets(model) {
  const picture = svg("svg", { viewBox: `0 0 ${WIDTH} ${BARS.height}`, role: "img" });
  const shape = model.get("image_shape"), classes = model.get("classes");
  const teacher = model.get("teacher_logits") && unpacked(model.get("teacher_logits"));
  const images = imagesOf(model);
  const image = svg("image", { x: 0, y: 30, width: 84, height: 84, preserveAspectRatio: "xMidYMid", style: "image-rendering: pixelated" });
  const title = written(0, 14, "", "title"), truth = written(42, 132, "", "middle");
  const plot = svg("g", {});
  const shown = Math.min(classes.length, 10);
  const wide = (WIDTH - BARS.left) / shown;
  const y = (share) => BARS.floor - share * (BARS.floor - BARS.top - 8);
  const bar = (column, offset, look) => svg("rect", { class: "bar", x: BARS.left + column * wide + wide * offset, width: wide * 0.36, ...look });
  const bars = Array.from({ length: shown }, (_, column) => ({
    teacher: bar(column, 0.12, { fill: TEACHER }),
    student: bar(column, teacher ? 0.52 : 0.32, { fill: "#fbe3d0", stroke: STUDENT, "stroke-width": 1.5, "stroke-dasharray": "4 2" }),
    name: written(BARS.left + (column + 0.5) * wide, BARS.floor + 16, "", "middle quiet"),
  }));
  for (const share of [0, 0.5, 1]) {
    plot.append(svg("line", { x1: BARS.left, x2: WIDTH, y1: y(share), y2: y(share), stroke: "#e6e6e6" }));
    plot.append(written(BARS.left - 6, y(share) + 4, String(share), "end quiet"));
  }
  for (const { teacher: t, student: s, name } of bars) plot.append(...(teacher ? [t] : []), s, name);
  const [teacherName, studentName] = model.get("names");
  const middle = (BARS.top + BARS.floor) / 2;
  picture.append(title, image, truth, plot,
    written(98, middle, "probability", "middle quiet", { transform: `rotate(-90 98 ${middle})` }),
    written((BARS.left + WIDTH) / 2, BARS.floor + 34, "class", "middle quiet"),
    written(14, 160, teacher ? teacherName : "", "", { style: `fill: ${TEACHER}` }),
    written(14, 178, studentName, "", { style: `fill: ${STUDENT}` }),
    svg("rect", { x: 0, y: 169, width: 9, height: 9, fill: "#fbe3d0", stroke: STUDENT, "stroke-width": 1.5 }));
  if (teacher) picture.append(svg("rect", { x: 0, y: 151, width: 9, height: 9, fill: TEACHER }));
  let painted = null;

  function row(logits, chosen) {
    return logits.slice(chosen * classes.length, (chosen + 1) * classes.length);
  }

  function draw(view) {
    const chosen = model.get("chosen");
    if (painted !== chosen && shape.length) {
      image.setAttribute("href", pixelPicture(shape, images[chosen]));
    }
    painted = chosen;
    const T = view.temperature;
    title.textContent = `What they say of image ${chosen + 1} at T = ${setting(T)}`;
    truth.textContent = `truth: ${classes[model.get("labels")[chosen]]}`;
    const taught = teacher && softmax(row(teacher, chosen), T);
    const learned = view.frame.logits ? softmax(row(unpacked(view.frame.logits), chosen), T) : null;
    const all = taught ?? learned ?? classes.map(() => 0);
    const order = classes.map((_, place) => place);
    if (classes.length > shown) order.sort((a, b) => all[b] - all[a]);
    bars.forEach((each, column) => {
      const place = order[column];
      each.name.textContent = classes[place];
      for (const [rect, said] of [[each.teacher, taught], [each.student, learned]]) {
        const share = said ? said[place] : 0;
        setAttributes(rect, { y: y(share).toFixed(1), height: Math.max(0, BARS.floor - y(share)).toFixed(1) });
      }
    });
    picture.setAttribute("aria-label", said(view));
  }

  function said(view) {
    const chosen = model.get("chosen"), T = view.temperature;
    const best = (logits) => {
      const said = softmax(row(logits, chosen), T);
      const place = said.indexOf(Math.max(...said));
      return `${classes[place]} with ${percent(said[place])}`;
    };
    const truth = `Image ${chosen + 1}, truly ${classes[model.get("labels")[chosen]]}`;
    const speakers = [
      ...(teacher ? [`${teacherName} ${best(teacher)}`] : []),
      view.frame.logits ? `${studentName} ${best(unpacked(view.frame.logits))}` : `${studentName} not looked at`,
    ];
    return `${truth}, at T = ${setting(T)}: ${speakers.join("; ")}.`;
  }

  return { picture, draw, said };
}

const CHART = { height: 182, left: 48, right: 116, top: 40, bottom: 34 };

function ticksOf(high) {
  const size = 10 ** Math.floor(Math.log10(high || 1));
  const step = [0.2, 0.5, 1, 2, 5].map((part) => part * size).find((part) => high / part <= 4) ?? size;
  return Array.from({ length: Math.floor(high / step + 1e-9) + 1 }, (_, i) => i * step);
}

// Names at the ends of their lines, pushed apart so that none covers another.
function apart(ends, top, bottom, gap = 15) {
  const sorted = [...ends].sort((a, b) => a.y - b.y);
  sorted.forEach((end, i) => { end.y = Math.max(end.y, i ? sorted[i - 1].y + gap : top); });
  for (let i = sorted.length - 1; i >= 0; i--) {
    sorted[i].y = Math.min(sorted[i].y, i === sorted.length - 1 ? bottom : sorted[i + 1].y - gap);
  }
  return ends;
}

function chart(model, view, picture, { title, series, high, ticks, axis }) {
  const step = view.frame.step, steps = model.get("steps"), stages = model.get("stages");
  const marks = model.get("marks").map((mark) => [...mark, knobName(model, mark[1])]);
  const longest = Math.max(...series.map(({ name }) => name.length), 0);
  const end = WIDTH - Math.max(CHART.right, 6.9 * longest + 10), floor = CHART.height - CHART.bottom;
  const x = scale(0, steps, CHART.left, end), y = scale(0, high, floor, CHART.top);
  const drawn = [written(0, 14, title, "title")];
  for (const tick of ticks) {
    drawn.push(svg("line", { x1: CHART.left, x2: end, y1: y(tick), y2: y(tick), stroke: "#e6e6e6" }));
    drawn.push(written(CHART.left - 6, y(tick) + 4, setting(tick), "end quiet"));
  }
  for (let stage = 1; stage <= stages && stages > 1; stage++) {
    const from = x(((stage - 1) * steps) / stages), to = x((stage * steps) / stages);
    if (stage > 1) drawn.push(svg("line", { x1: from, x2: from, y1: CHART.top - 4, y2: floor, stroke: "#b5b5b5" }));
    if (to - from > 52) drawn.push(written((from + to) / 2, floor + 16, `stage ${stage}`, "middle quiet"));
  }
  // The newest change is named; older ones where there is room.
  const taken = [];
  for (const [at, , from, to, name] of [...marks].reverse()) {
    drawn.push(svg("line", { x1: x(at), x2: x(at), y1: CHART.top - 8, y2: floor, stroke: INK, "stroke-dasharray": "2 2", opacity: 0.6 }));
    const text = `${name} ${setting(from)} → ${setting(to)}`, wide = 6.6 * text.length;
    const late = x(at) > WIDTH - wide;
    const start = late ? x(at) - wide : x(at);
    if (taken.some((other) => start < other.start + other.wide + 8 && other.start < start + wide + 8)) continue;
    drawn.push(written(x(at), CHART.top - 11, text, late ? "end quiet" : "quiet"));
    taken.push({ start, wide });
  }
  const ends = [];
  for (const { name, colour, dashes, points } of series) {
    const known = points.filter(([, value]) => value !== null && value !== undefined);
    if (!known.length) continue;
    // A stage begins with another student: no line leads from one to the next.
    const line = known.map(([at, value], i) => {
      const first = i === 0 || stageOf(model, at) !== stageOf(model, known[i - 1][0]);
      return `${first ? "M" : "L"}${x(at).toFixed(1)} ${y(value).toFixed(1)}`;
    }).join(" ");
    drawn.push(svg("path", { d: line, fill: "none", stroke: colour, "stroke-width": 2, "stroke-dasharray": dashes }));
    const now = known.filter(([at]) => at <= step && stageOf(model, at) === view.stage).at(-1);
    if (now) drawn.push(svg("circle", { cx: x(now[0]), cy: y(now[1]), r: 3.5, fill: colour }));
    ends.push({ y: y(known.at(-1)[1]) + 4, name, colour });
  }
  for (const { y: height, name, colour } of apart(ends, CHART.top, floor + 4)) {
    drawn.push(written(end + 8, height, name, "", { style: `fill: ${colour}` }));
  }
  drawn.push(svg("line", { x1: x(step), x2: x(step), y1: CHART.top, y2: floor, stroke: STUDENT, opacity: 0.6 }));
  drawn.push(written(CHART.left, floor + 16, "0", "middle quiet"), written(end, floor + 16, String(steps), "middle quiet"));
  drawn.push(written((CHART.left + end) / 2, floor + 32, "training step", "middle quiet"));
  const middle = (CHART.top + floor) / 2;
  drawn.push(written(6, middle, axis, "middle quiet", { transform: `rotate(-90 6 ${middle})` }));
  picture.replaceChildren(...drawn);
}

function knobName(model, address) {
  return model.get("knobs").find((knob) => knob.address === address)?.label ?? address;
}

function drawLosses(model, view, picture) {
  const terms = model.get("terms"), colours = looks(terms);
  const series = terms.map(({ name, title }) => ({
    name: title,
    colour: colours.get(name)[0],
    dashes: colours.get(name)[1],
    points: view.frames.map(({ step, losses, settings }) => [step, losses[name] === undefined || losses[name] === null ? null : losses[name] * settings[`${name}.weight`]]),
  }));
  const values = series.flatMap(({ points }) => points.map(([, value]) => Math.abs(value ?? 0)));
  const high = Math.max(1e-6, ...values) * 1.02;
  chart(model, view, picture, { title: "Each term's part of the loss", series, high, ticks: ticksOf(high), axis: "weight × loss" });
}

function drawMeasures(model, view, picture) {
  const all = view.frames.flatMap(({ measures }) => Object.keys(measures));
  // Accuracy, agreement and CKA look the same in every run.
  const free = MEASURES.filter((_, i) => !all.includes(FIRST[i]));
  const others = [...new Set(all)].filter((name) => !FIRST.includes(name)).slice(0, free.length);
  const kinds = [...FIRST.map((name, i) => [name, MEASURES[i]]), ...others.map((name, i) => [name, free[i]])];
  const series = kinds.filter(([name]) => all.includes(name)).map(([name, [colour, dashes]]) => ({
    name: name.replaceAll("_", " "),
    colour,
    dashes,
    points: view.frames.map(({ step, measures }) => [step, measures[name]]),
  }));
  chart(model, view, picture, { title: "On validation images", series, high: 1, ticks: [0, 0.5, 1], axis: all.includes("CKA") ? "share; CKA" : "share" });
}

// The record in a sentence: the same numbers as in the pictures.
function sentence(model, view) {
  const { frame, parts } = view;
  const stage = model.get("stages") > 1 ? ` (stage ${view.stage} of ${model.get("stages")})` : "";
  const at = `Step ${frame.step} of ${model.get("steps")}${stage}`;
  const many = frame.students > 1 ? ` (means of ${frame.students} students)` : "";
  const sums = parts.map((part) => `${setting(part.weight)} × ${short(part.value)} (${part.title})`).join(" + ");
  const loss = frame.total === null ? "nothing learned yet" : `loss ${short(view.total)} = ${sums}`;
  const measures = Object.entries(frame.measures).filter(([, value]) => value !== null);
  const seen = measures.map(([name, value]) => `${name.replaceAll("_", " ")} ${measured(name, value)}`).join(", ");
  const mark = model.get("marks").filter(([step]) => step < frame.step).at(-1);
  const change = mark ? ` Last change: ${knobName(model, mark[1])} from ${setting(mark[2])} to ${setting(mark[3])} at step ${mark[0]}.` : "";
  return `${at}: ${loss}${many}.${seen ? ` Validation: ${seen}.` : ""}${change}`;
}

function slider(text, attributes, onInput) {
  return slide(text, attributes, onInput, html("span", { class: "value" }));
}

// Where a run is over, its settings are a record: a bar in the slider's place, which nobody can turn.
function gauge(text, stops) {
  const fill = html("span");
  const bar = html("span", { class: "gauge", role: "meter", "aria-label": text, "aria-valuemin": stops[0], "aria-valuemax": stops.at(-1) }, fill);
  return {
    bar,
    fill(place, value) {
      fill.style.width = `${(100 * place) / (stops.length - 1)}%`;
      setAttributes(bar, { "aria-valuenow": value, "aria-valuetext": setting(value) });
    },
  };
}

// A slider for each number of the objective; which there are is the objective's own matter.
function knobs(model, turned) {
  const main = html("div", { class: "knobs" }), more = html("div", { class: "knobs" });
  const rest = html("details", {}, html("summary", { "data-lm-suppress-shortcuts": "true" }, "More settings of the objective"), more);
  let built = null, sliders = [];

  function build(all) {
    sliders = all.map((knob) => {
      const made = slider(knob.label, { min: 0, max: knob.stops.length - 1 }, (place) => turned(knob.address, knob.stops[place]));
      const { bar, fill } = gauge(knob.label, knob.stops);
      const label = html("label", {}, html("span", {}, knob.label), made.output, made.input);
      return { ...knob, ...made, bar, fill, label };
    });
    main.replaceChildren(...sliders.slice(0, MAIN_KNOBS).map(({ label }) => label));
    more.replaceChildren(...sliders.slice(MAIN_KNOBS).map(({ label }) => label));
    rest.hidden = sliders.length <= MAIN_KNOBS;
  }

  function draw(settings, enabled) {
    const key = JSON.stringify(model.get("knobs"));
    if (key !== built) build(model.get("knobs"));
    built = key;
    for (const { address, stops, show, input, bar, fill, label } of sliders) {
      const value = settings[address], wanted = enabled ? input : bar;
      if (label.lastChild !== wanted) label.lastChild.replaceWith(wanted);
      input.disabled = value === undefined;
      if (value === undefined) {
        show(0, "off", "off: this stage has no such term");
        fill(0, 0);
        bar.setAttribute("aria-valuetext", "off: this stage has no such term");
        continue;
      }
      const nearest = stops.reduce((best, stop, i) => (Math.abs(stop - value) < Math.abs(stops[best] - value) ? i : best), 0);
      show(nearest, setting(value));
      fill(nearest, value);
    }
  }

  return { elements: [main, rest], draw };
}

const TRAITS = ["frames", "latest", "marks", "terms", "knobs", "settings", "steps", "stages", "state", "message", "seconds", "chosen"];
const views = new WeakMap();

function render({ model, el }) {
  // The step looked at, or null for the newest. A page without a kernel begins at the start.
  let at = model.get("live") ? null : 0;
  let chosenTerm = null, timer = null, asking = null, lastStep = null;

  // A message may get lost while a page is opened again: a wish is repeated until it has been heard.
  // Python obeys each number once.
  function wish(what) {
    const count = (model.get("wish")[1] ?? 0) + 1;
    let again = 0;
    const ask = () => save(model, "wish", [what, count, again]);
    clearInterval(asking);
    asking = setInterval(() => {
      again += 1;
      if (model.get("obeyed") >= count || again > 5) clearInterval(asking);
      else ask();
    }, 600);
    ask();
  }
  const last = () => model.get("frames").length - 1;
  const here = () => placeOf(model.get("frames"), at);

  function look(place) {
    at = place >= last() && !isOver(model) ? null : model.get("frames")[place].step;
    draw();
  }

  function endReplay() {
    clearInterval(timer);
    timer = null;
  }

  function replay() {
    if (timer) endReplay();
    else {
      if (here() === last()) at = 0;
      const pause = Math.max(60, Math.min(500, (1000 * model.get("seconds")) / (last() + 1)));
      timer = setInterval(() => {
        if (here() + 1 >= last()) endReplay();
        look(Math.min(here() + 1, last()));
      }, pause);
    }
    draw();
  }

  const play = button("Play", () => {
    if (isOver(model)) return replay();
    at = null;
    wish(model.get("state") === "playing" ? "pause" : "play");
  }, { class: "main" });
  const step = button("Step", () => {
    endReplay();
    if (isOver(model)) return look((here() + 1) % (last() + 1));
    at = null;
    wish("step");
  });
  const stop = button("Stop", () => wish("stop"));
  const reset = button("Reset", () => {
    endReplay();
    if (!model.get("live")) return look(0);
    at = null;
    wish("reset");
  });
  const pace = button("", () => {
    save(model, "seconds", PACES.find((seconds) => seconds < model.get("seconds")) ?? PACES[0]);
  }, { class: "pace" });
  const time = slider("Record", { min: 0 }, (place) => {
    endReplay();
    look(place);
  });
  // From the last record on to the first, so that the keys go round.
  time.input.addEventListener("keydown", (event) => {
    const place = here();
    const next = { ArrowRight: place >= last() ? 0 : null, ArrowLeft: place <= 0 ? last() : null }[event.key] ?? null;
    if (next === null) return;
    event.preventDefault();
    endReplay();
    look(next);
  });
  const message = html("p", { class: "message", role: "status" });
  const about = html("p", { class: "about" });
  const readOut = html("p", { class: "read-out" });
  const turning = knobs(model, (address, value) => save(model, "settings", { ...model.get("settings"), [address]: value }));
  const who = diagram(model, (name) => {
    chosenTerm = name;
    draw();
  });
  who.arrows.addEventListener("keydown", (event) => {
    const move = { ArrowUp: -1, ArrowLeft: -1, ArrowDown: 1, ArrowRight: 1 }[event.key];
    if (!move) return;
    event.preventDefault();
    event.stopPropagation();
    const names = moment(model, at).parts.map(({ name }) => name);
    chosenTerm = names[(names.indexOf(chosenTerm) + move + names.length) % names.length];
    draw();
  });
  const hasImages = model.get("labels").length > 0;
  const said = hasImages ? softTargets(model) : null;
  const picker = slider("Image", { min: 0, max: Math.max(0, model.get("labels").length - 1) }, (place) => save(model, "chosen", place));
  const losses = svg("svg", { viewBox: `0 0 ${WIDTH} ${CHART.height}`, role: "img", "aria-label": "Each term's part of the loss along training" });
  const measures = svg("svg", { viewBox: `0 0 ${WIDTH} ${CHART.height}`, role: "img", "aria-label": "Accuracy, agreement and CKA along training" });

  function drawButtons() {
    const state = model.get("state"), over = isOver(model);
    play.textContent = over ? (timer ? "Pause" : "Replay") : state === "playing" ? "Pause" : "Play";
    stop.disabled = over || state === "ready";
    reset.disabled = !model.get("can_reset");
    reset.title = model.get("can_reset") ? "" : "Pass a function that makes the run, and Reset begins again.";
    const seconds = model.get("seconds");
    pace.textContent = `Pace: ${seconds ? `${setting(seconds)} s a run` : "full speed"}`;
    play.disabled = step.disabled = over && last() < 1;
    time.input.disabled = last() < 1;
    time.input.max = Math.max(1, last());
  }

  function draw() {
    const view = moment(model, at);
    if (!view.parts.some(({ name }) => name === chosenTerm)) {
      chosenTerm = view.parts.reduce((best, part) => (part.share > best.share ? part : best)).name;
    }
    drawButtons();
    turning.draw(view.settings, !isOver(model));
    who.draw(view, chosenTerm);
    const part = view.parts.find(({ name }) => name === chosenTerm);
    const share = part.part === null ? "" : ` It is ${percent(part.share)} of the loss.`;
    about.textContent = `${part.about}${share}`;
    if (said) {
      said.draw(view);
      const chosen = model.get("chosen");
      picker.show(chosen, `${chosen + 1} of ${model.get("labels").length}`, said.said(view));
    }
    drawLosses(model, view, losses);
    drawMeasures(model, view, measures);
    const text = sentence(model, view);
    time.show(view.place, `step ${view.frame.step} of ${model.get("steps")}`, text);
    // Numbers that run are not spoken; those at rest are.
    for (const told of [about, readOut]) {
      told.setAttribute("aria-live", timer || model.get("state") === "playing" ? "off" : "polite");
    }
    readOut.textContent = `${text}${said ? ` ${said.said(view)}` : ""}`;
    message.textContent = model.get("live") ? model.get("message") : "A replay: play it, or drag. The bars are each step's settings; to turn them, it needs a running kernel.";
    if (lastStep !== null && view.frame.step !== lastStep) who.pulse(view);
    lastStep = view.frame.step;
  }

  let asked = false;
  const guardedDraw = guardedBy(message, "theatre", () => {
    asked = false;
    draw();
  });
  // Many traits may change at once: one picture a frame.
  function askToDraw() {
    if (!asked) requestAnimationFrame(guardedDraw);
    asked = true;
  }

  const pictures = html("div", { class: "pictures" }, html("div", {}, who.picture, about));
  if (said) {
    const choice = html("label", { class: "image-picker" }, "Image", picker.input, picker.output);
    pictures.append(html("div", {}, said.picture, choice));
  }
  pictures.append(losses, measures);
  el.append(html("div", { class: "kdviz-theatre" },
    html("div", { class: "row" }, play, step, stop, reset, pace),
    message,
    html("label", { class: "time row" }, "Record", time.input, time.output),
    ...turning.elements,
    pictures,
    readOut));
  guardedDraw();
  const unfollow = follow(model, TRAITS, askToDraw);
  views.set(model, (views.get(model) ?? 0) + 1);
  return () => {
    endReplay();
    unfollow();
    views.set(model, views.get(model) - 1);
    // Nobody watches any more: the cell ran again, or its output is gone. The run can go on later.
    if (!views.get(model) && model.get("state") === "playing") wish("pause");
  };
}

// As in Python: a long run keeps every second frame, and the last.
const MOST_FRAMES = 120;

function thin(frames) {
  const kept = frames.filter((_, place) => place % 2 === 0 || place === frames.length - 1);
  frames.splice(0, frames.length, ...kept);
}

// Python sends each frame once; the page keeps them, whether it is looked at or not.
function initialize({ model }) {
  const append = () => {
    const frames = model.get("frames");
    for (const frame of model.get("latest")) {
      if (!frames.length || frame.step > frames.at(-1).step) frames.push(frame);
      if (frames.length > MOST_FRAMES) thin(frames);
    }
  };
  model.on("change:latest", append);
  return () => model.off("change:latest", append);
}

export default { initialize, render };
