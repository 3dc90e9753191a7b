// The training theatre: who teaches whom, what each loss term asks for, and the student as it learns.

import { chart, ticksOf } from "../kit/chart.js";
import { button, html, INK, setAttributes, slide, STUDENT, svg, svgPicture, TEACHER,
  words } from "../kit/elements.js";
import { imagesOf, pixelPicture } from "../kit/images.js";
import { largestIndex, percent, softmax } from "../kit/numbers.js";
import { follow, guardedBy, save, whenRestarted } from "../kit/panel.js";
import { unpack } from "../kit/wire.js";
import { diagram, WIDTH } from "./diagram.js";
import { frameAt, isOver, knobName, linesOf, measuresOf, momentOf, sentence, setting,
  stageOf } from "./moment.js";

const MAIN_KNOBS = 4, PACES = [60, 20, 0];

// ---- What teacher and student say of the chosen image, at the temperature of the objective ----

const BARS = { left: 132, right: WIDTH, top: 34, bottom: 158 }, BARS_HEIGHT = 196;
const HOLLOW = { fill: "#fbe3d0", stroke: STUDENT, "stroke-width": 1.5 };

function softTargets(model) {
  const drawing = svgPicture(WIDTH, BARS_HEIGHT, "");
  const { shape, colours } = imagesOf(model), classes = model.get("classes"), labels = model.get("labels");
  const [teacherName, studentName] = model.get("names");
  const teacher = model.get("teacher_logits") && unpack(model.get("teacher_logits"));
  const image = svg("image", { class: "pixels", x: 0, y: 30, width: 84, height: 84 });
  const title = words(0, 14, "", { class: "title" }), truth = words(42, 132, "", { class: "middle" });
  const shown = Math.min(classes.length, 10);
  const { x, y, drawn } = chart({
    box: BARS,
    x: { range: [0, shown], title: "class", below: 2.6 },
    y: { range: [0, 1], ticks: [0, 0.5, 1], text: String },
  });
  const wide = x(1) - x(0);
  const bar = (column, offset, look) =>
    svg("rect", { class: "bar", x: x(column + offset), width: 0.36 * wide, ...look });
  const bars = Array.from({ length: shown }, (_, column) => ({
    teacher: bar(column, 0.12, { fill: TEACHER }),
    student: bar(column, teacher ? 0.52 : 0.32, { ...HOLLOW, "stroke-dasharray": "4 2" }),
    name: words(x(column + 0.5), BARS.bottom + 16, "", { class: "middle quiet" }),
  }));
  const swatch = (top, look) => svg("rect", { x: 0, y: top, width: 9, height: 9, ...look });
  const middle = (BARS.top + BARS.bottom) / 2;
  drawing.append(
    ...[title, image, truth, ...drawn],
    ...bars.flatMap((each) => [...(teacher ? [each.teacher] : []), each.student, each.name]),
    words(98, middle, "probability", { class: "middle quiet", transform: `rotate(-90 98 ${middle})` }),
    ...(teacher
      ? [words(14, 160, teacherName, { style: `fill: ${TEACHER}` }), swatch(151, { fill: TEACHER })]
      : []),
    ...[words(14, 178, studentName, { style: `fill: ${STUDENT}` }), swatch(169, HOLLOW)],
  );
  let painted = null;

  // What each says of the chosen image, where that is known.
  function saidAt({ frame, temperature }) {
    const chosen = model.get("chosen");
    const student = frame.logits && unpack(frame.logits);
    return [teacher, student].map((logits) => logits ? softmax(logits.at(chosen), temperature) : null);
  }

  function draw(view) {
    const chosen = model.get("chosen"), [taught, learned] = saidAt(view);
    if (painted !== chosen && colours.length) {
      image.setAttribute("href", pixelPicture(shape, colours[chosen]));
    }
    painted = chosen;
    title.textContent = `What they say of image ${chosen + 1} at T = ${setting(view.temperature)}`;
    truth.textContent = `truth: ${classes[labels[chosen]]}`;
    const all = taught ?? learned ?? classes.map(() => 0);
    const order = [...classes.keys()];
    if (classes.length > shown) order.sort((a, b) => all[b] - all[a]);
    bars.forEach((each, column) => {
      each.name.textContent = classes[order[column]];
      for (const [rect, said] of [[each.teacher, taught], [each.student, learned]]) {
        const top = y(said ? said[order[column]] : 0);
        setAttributes(rect, { y: top.toFixed(1), height: Math.max(0, BARS.bottom - top).toFixed(1) });
      }
    });
    drawing.setAttribute("aria-label", described(view));
  }

  function described(view) {
    const chosen = model.get("chosen"), [taught, learned] = saidAt(view);
    const best = (said) => `${classes[largestIndex(said)]} with ${percent(Math.max(...said), 1)}`;
    const speakers = taught ? [`${teacherName} ${best(taught)}`] : [];
    speakers.push(`${studentName} ${learned ? best(learned) : "not looked at"}`);
    const truly = `Image ${chosen + 1}, truly ${classes[labels[chosen]]}`;
    return `${truly}, at T = ${setting(view.temperature)}: ${speakers.join("; ")}.`;
  }

  return { element: drawing, draw, described };
}

// ---- The curves along the training ----

const CURVES = { left: 48, top: 40, bottom: 148 }, CURVES_HEIGHT = 182, ROOM = 116;

function drawCurves(model, view, drawing, { title, series, y }) {
  const steps = model.get("steps"), step = view.frame.step;
  const longest = Math.max(...series.map(({ name }) => name.length), 0);
  const box = { ...CURVES, right: WIDTH - Math.max(ROOM, 6.9 * longest + 10) };
  const known = ([, value]) => Number.isFinite(value);
  const now = (points) =>
    points.findLast((point) => point[0] <= step && known(point) && stageOf(model, point[0]) === view.stage);
  // A stage begins with another student: no line leads from one to the next.
  const breaks = (i, points) => i === 0 || stageOf(model, points[i][0]) !== stageOf(model, points[i - 1][0]);
  const plot = chart({
    box,
    y,
    names: true,
    x: { range: [0, steps], ticks: [0, steps], title: "training step", below: 2.5 },
    series: series.map((line) => ({ ...line, breaks, dot: now(line.points) })),
    marks: [{ value: step, stroke: STUDENT, opacity: 0.6 }],
  });
  const heading = words(0, 14, title, { class: "title" });
  drawing.replaceChildren(heading, ...stageLines(model, plot, box), ...changeMarks(model, plot),
    ...plot.drawn);
}

function stageLines(model, { x }, { top, bottom }) {
  const steps = model.get("steps"), stages = model.get("stages");
  if (stages === 1) return [];
  return Array.from({ length: stages }, (_, i) => [x((i * steps) / stages), x(((i + 1) * steps) / stages)])
    .flatMap(
      ([from, to], i) => [
        ...(i ? [svg("line", { x1: from, x2: from, y1: top - 4, y2: bottom, stroke: "#b5b5b5" })] : []),
        ...(to - from > 52
          ? [words((from + to) / 2, bottom + 16, `stage ${i + 1}`, { class: "middle quiet" })]
          : []),
      ],
    );
}

// What was turned on the way. The newest change is named; older ones where there is room.
function changeMarks(model, { x }) {
  const taken = [], dashed = { stroke: INK, "stroke-dasharray": "2 2", opacity: 0.6 };
  return [...model.get("marks")].reverse().flatMap(([step, address, from, to]) => {
    const at = x(step),
      line = svg("line", { x1: at, x2: at, y1: CURVES.top - 8, y2: CURVES.bottom, ...dashed });
    const text = `${knobName(model, address)} ${setting(from)} → ${setting(to)}`, wide = 6.6 * text.length;
    const late = at > WIDTH - wide, start = late ? at - wide : at;
    if (taken.some((other) => start < other.start + other.wide + 8 && other.start < start + wide + 8)) {
      return [line];
    }
    taken.push({ start, wide });
    return [line, words(at, CURVES.top - 11, text, { class: late ? "end quiet" : "quiet" })];
  });
}

function drawLosses(model, view, drawing) {
  const terms = model.get("terms"), lines = linesOf(terms);
  const series = terms.map(({ name, title }) => ({
    name: title,
    stroke: lines.get(name)[0],
    "stroke-dasharray": lines.get(name)[1],
    points: view.frames.map((
      { step, losses, settings },
    ) => [step, (losses[name] ?? NaN) * settings[`${name}.weight`]]),
  }));
  const values = series.flatMap(({ points }) => points.map(([, value]) => Math.abs(value))).filter(
    Number.isFinite,
  );
  const high = Math.max(1e-6, ...values) * 1.02;
  const y = { range: [0, high], ticks: ticksOf(0, high), text: setting, title: "weight × loss" };
  drawCurves(model, view, drawing, { title: "Each term's part of the loss", series, y });
}

function drawMeasures(model, view, drawing) {
  const kinds = measuresOf(view.frames);
  const series = kinds.map(([name, [stroke, dashes]]) => ({
    name: name.replaceAll("_", " "),
    stroke,
    "stroke-dasharray": dashes,
    points: view.frames.map(({ step, measures }) => [step, measures[name] ?? NaN]),
  }));
  const title = kinds.some(([name]) => name === "CKA") ? "share; CKA" : "share";
  const y = { range: [0, 1], ticks: [0, 0.5, 1], text: setting, title };
  drawCurves(model, view, drawing, { title: "On validation images", series, y });
}

// ---- The settings ----

function slider(text, attributes, onInput) {
  return slide(text, attributes, onInput, html("span", { class: "value" }));
}

// Where a run is over, its settings are a record: a bar in the slider's place, which nobody can turn.
function gauge(text, stops) {
  const fill = html("span"), ends = { "aria-valuemin": stops[0], "aria-valuemax": stops.at(-1) };
  const bar = html("span", { class: "gauge", role: "meter", "aria-label": text, ...ends }, fill);
  return {
    bar,
    show(index, value, told) {
      fill.style.width = `${(100 * index) / (stops.length - 1)}%`;
      setAttributes(bar, { "aria-valuenow": value, "aria-valuetext": told });
    },
  };
}

const OFF = "off: this stage has no such term";

function knobOf({ address, label, stops }, turned) {
  const made = slider(label, { min: 0, max: stops.length - 1 }, (index) => turned(address, stops[index]));
  const meter = gauge(label, stops);
  const element = html("label", {}, html("span", {}, label), made.output, made.input);
  return {
    element,
    draw(value, enabled) {
      const wanted = enabled ? made.input : meter.bar, known = value !== undefined;
      if (element.lastChild !== wanted) element.lastChild.replaceWith(wanted);
      made.input.disabled = !known;
      const nearest = known ? largestIndex(stops.map((stop) => -Math.abs(stop - value))) : 0;
      made.show(nearest, ...(known ? [setting(value)] : ["off", OFF]));
      meter.show(nearest, value ?? 0, known ? setting(value) : OFF);
    },
  };
}

// A slider for each number of the objective; which there are is the objective's own matter.
function knobs(model) {
  const turned = (address, value) => save(model, "settings", { ...model.get("settings"), [address]: value });
  const main = html("div", { class: "knobs" }), more = html("div", { class: "knobs" });
  const summary = html("summary", { "data-lm-suppress-shortcuts": "true" }, "More settings of the objective");
  const rest = html("details", {}, summary, more);
  let built = null, made = new Map();

  function draw(settings, enabled) {
    const all = model.get("knobs"), key = JSON.stringify(all);
    if (key !== built) {
      made = new Map(all.map((knob) => [knob.address, knobOf(knob, turned)]));
      const elements = [...made.values()].map(({ element }) => element);
      main.replaceChildren(...elements.slice(0, MAIN_KNOBS));
      more.replaceChildren(...elements.slice(MAIN_KNOBS));
      rest.hidden = all.length <= MAIN_KNOBS;
    }
    built = key;
    for (const [address, knob] of made) knob.draw(settings[address], enabled);
  }

  return { elements: [main, rest], draw };
}

// ---- Where one looks: a step, or the newest; and the replay of a run that is over ----

function timeline(model, draw) {
  // The step looked at, or null for the newest. A page without a kernel begins at the start.
  let at = model.get("live") ? null : 0, timer = null;
  const last = () => model.get("frames").length - 1;
  const here = () => frameAt(model.get("frames"), at);

  function look(index) {
    at = index >= last() && !isOver(model) ? null : model.get("frames")[index].step;
    draw();
  }

  function stop() {
    clearInterval(timer);
    timer = null;
  }

  function replay() {
    if (timer) stop();
    else {
      if (here() === last()) at = 0;
      const pause = Math.max(60, Math.min(500, (1000 * model.get("seconds")) / (last() + 1)));
      timer = setInterval(() => {
        if (here() + 1 >= last()) stop();
        look(Math.min(here() + 1, last()));
      }, pause);
    }
    draw();
  }

  return {
    last,
    here,
    stop,
    replay,
    at: () => at,
    playing: () => timer !== null,
    newest: () => {
      at = null;
    },
    look(index) {
      stop();
      look(index);
    },
  };
}

// What the page asks of Python. A message may get lost while a page is opened again: a command is repeated until
// Python has acknowledged it, which obeys each number once.
function commands(model) {
  let asking = null;
  return (what) => {
    const count = (model.get("command")[1] ?? 0) + 1;
    let again = 0;
    const ask = () => save(model, "command", [what, count, again]);
    clearInterval(asking);
    asking = setInterval(() => {
      again += 1;
      if (model.get("acknowledged") >= count || again > 5) clearInterval(asking);
      else ask();
    }, 600);
    ask();
  };
}

function buttons(model, time, command) {
  const newest = (what) => {
    time.newest();
    command(what);
  };
  const play = button("Play", () => {
    if (isOver(model)) return time.replay();
    newest(model.get("state") === "playing" ? "pause" : "play");
  }, { class: "main" });
  const step = button("Step", () => {
    if (isOver(model)) return time.look((time.here() + 1) % (time.last() + 1));
    time.stop();
    newest("step");
  });
  const stop = button("Stop", () => command("stop"));
  const reset = button("Reset", () => {
    if (!model.get("live")) return time.look(0);
    time.stop();
    newest("reset");
  });
  const pace = button("", () => {
    save(model, "seconds", PACES.find((seconds) => seconds < model.get("seconds")) ?? PACES[0]);
  }, { class: "pace" });
  return {
    elements: [play, step, stop, reset, pace],
    draw() {
      const state = model.get("state"), over = isOver(model), seconds = model.get("seconds");
      play.textContent = over
        ? (time.playing() ? "Pause" : "Replay")
        : state === "playing"
        ? "Pause"
        : "Play";
      stop.disabled = over || state === "ready";
      reset.disabled = !model.get("can_reset");
      reset.title = model.get("can_reset")
        ? ""
        : "Pass a function that makes the run, and Reset begins again.";
      pace.textContent = `Pace: ${seconds ? `${setting(seconds)} s a run` : "full speed"}`;
      play.disabled = step.disabled = over && time.last() < 1;
    },
  };
}

// The slider of the records. From the last one on to the first, so that the keys go round.
function scrubber(model, time) {
  const { input, output, show } = slider("Record", { min: 0 }, time.look);
  input.addEventListener("keydown", (event) => {
    const next = { ArrowRight: time.here() >= time.last() ? 0 : null,
      ArrowLeft: time.here() <= 0 ? time.last() : null };
    if ((next[event.key] ?? null) === null) return;
    event.preventDefault();
    time.look(next[event.key]);
  });
  return {
    element: html("label", { class: "time row" }, "Record", input, output),
    draw(view, text) {
      input.disabled = time.last() < 1;
      input.max = Math.max(1, time.last());
      show(view.index, `step ${view.frame.step} of ${model.get("steps")}`, text);
    },
  };
}

// The arrows, and what the chosen one asks for; to begin with, the largest.
function terms(model, redraw) {
  let chosen = null, lastStep = null, names = [];
  const choose = (name) => {
    chosen = name;
    redraw();
  };
  const move = (step) => choose(names[(names.indexOf(chosen) + step + names.length) % names.length]);
  const who = diagram(model, choose, move);
  const about = html("p", { class: "about" });
  return {
    element: html("div", {}, who.picture, about),
    about,
    draw(view) {
      names = view.parts.map(({ name }) => name);
      if (!names.includes(chosen)) chosen = names[largestIndex(view.parts.map(({ fraction }) => fraction))];
      who.draw(view, chosen);
      const part = view.parts[names.indexOf(chosen)];
      about.textContent = `${part.about}${
        part.part === null ? "" : ` It is ${percent(part.fraction, 1)} of the loss.`
      }`;
      if (lastStep !== null && view.frame.step !== lastStep) who.pulse(view);
      lastStep = view.frame.step;
    },
  };
}

// The chosen image with what is said of it; nothing where there are no images.
function imagePart(model) {
  const count = model.get("labels").length;
  if (!count) return null;
  const said = softTargets(model);
  const picker = slider("Image", { min: 0, max: count - 1 }, (index) => save(model, "chosen", index));
  const choice = html("label", { class: "image-picker" }, "Image", picker.input, picker.output);
  return {
    element: html("div", {}, said.element, choice),
    described: said.described,
    draw(view) {
      said.draw(view);
      const chosen = model.get("chosen");
      picker.show(chosen, `${chosen + 1} of ${count}`, said.described(view));
    },
  };
}

const TRAITS = ["frames", "latest", "marks", "terms", "knobs", "settings", "steps", "stages", "state", "live",
  "message", "seconds", "chosen"];
const REPLAY =
  "A replay: play it, or drag. The bars are each step's settings; to turn them, it needs a running kernel.";
const views = new WeakMap();

function render({ model, el }) {
  const command = commands(model), time = timeline(model, () => draw());
  const bar = buttons(model, time, command), record = scrubber(model, time), turning = knobs(model);
  const arrows = terms(model, () => draw()), image = imagePart(model);
  const message = html("p", { class: "message", role: "status" });
  const readOut = html("p", { class: "read-out" });
  const losses = svgPicture(WIDTH, CURVES_HEIGHT, "Each term's part of the loss along training");
  const measures = svgPicture(WIDTH, CURVES_HEIGHT, "Accuracy, agreement and CKA along training");

  function draw() {
    const view = momentOf(model, time.at());
    bar.draw();
    turning.draw(view.settings, !isOver(model));
    arrows.draw(view);
    image?.draw(view);
    drawLosses(model, view, losses);
    drawMeasures(model, view, measures);
    const text = sentence(model, view);
    record.draw(view, text);
    // Numbers that run are not spoken; those at rest are.
    const spoken = time.playing() || model.get("state") === "playing" ? "off" : "polite";
    for (const told of [arrows.about, readOut]) told.setAttribute("aria-live", spoken);
    readOut.textContent = image ? `${text} ${image.described(view)}` : text;
    message.textContent = model.get("message") || (model.get("live") ? "" : REPLAY);
  }

  let asked = false;
  const guardedDraw = guardedBy(message, "theatre", () => {
    asked = false;
    draw();
  });
  // Many traits may change at once: one picture a frame.
  const askToDraw = () => {
    if (!asked) requestAnimationFrame(guardedDraw);
    asked = true;
  };

  const pictures = [arrows.element, ...(image ? [image.element] : []), losses, measures];
  el.append(html(
    "div",
    { class: "kdviz-theatre" },
    html("div", { class: "row" }, ...bar.elements),
    message,
    record.element,
    ...turning.elements,
    html("div", { class: "pictures" }, ...pictures),
    readOut,
  ));
  guardedDraw();
  const unfollow = follow(model, TRAITS, askToDraw);
  views.set(model, (views.get(model) ?? 0) + 1);
  return () => {
    time.stop();
    unfollow();
    views.set(model, views.get(model) - 1);
    // Nobody watches any more: the cell ran again, or its output is gone. The run can go on later.
    if (!views.get(model) && model.get("state") === "playing") command("pause");
  };
}

// As in Python: a long run keeps every second frame, and the last.
const MOST_FRAMES = 120;

function thin(frames) {
  const kept = frames.filter((_, index) => index % 2 === 0 || index === frames.length - 1);
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
  whenRestarted(model, { state: "stopped" });
  return () => model.off("change:latest", append);
}

export default { initialize, render };
