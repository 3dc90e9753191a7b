// The pictures. Each view is made once and has `element` and `draw(state)`; `state` is the page itself, only read.

import { chart, scale, ticksOf } from "../kit/chart.js";
import { html, INK, onArrows, setAttributes, svg, svgPicture, words } from "../kit/elements.js";
import { clamp, largestIndex, percent, signed, softmax } from "../kit/numbers.js";
import { ADVISER, card, paintTiles, percentOf, STUDENTS } from "./drawing.js";
import { answers, CLASSES, DISTILLED, PIXELS, STEPS } from "./engine.js";
import { recall } from "./trainer.js";

const CURVES = { left: 36, right: 282, top: 26 }, WIDTH = 390;
// From here on a curve is shown whole; what lies before may be below the axis.
const WARM_UP = 60;

// Accuracy and loss on the test images, step by step.
export function curvesView() {
  const accuracy = svgPicture(WIDTH, 214, "accuracy on test images (%)"),
    loss = svgPicture(WIDTH, 134, "test loss (nats)");
  const caption = html("p", { class: "caption" });
  return {
    element: card("curves", "While they learn", accuracy, loss, caption),
    draw({ records, stopped, teacherAccuracy, changes, start }) {
      const teacher = { value: teacherAccuracy, name: `teacher ${teacherAccuracy.toFixed(1)}`,
        stroke: ADVISER.colour };
      const low = lowest(records, teacherAccuracy);
      const from = low ? `: the axis begins at ${low}` : "";
      const percents = { title: `accuracy on test images (%)${from}`, bottom: 180, low, usual: 100,
        levels: [teacher] };
      const plot = drawCurves(accuracy, records, percents, (record) => record.accuracy,
        (value) => value.toFixed(1));
      accuracy.append(...changes.filter(([step]) => step > 0).map((change) => changeMark(plot, change, low)));
      if (records.at(-1).step > 0) {
        accuracy.append(...stopped.map((stop, who) => stopMark(plot, stop, who, low)));
      }
      accuracy.setAttribute("aria-label", curvesSpoken(records, teacherAccuracy));
      const nats = { title: "test loss (nats)", bottom: 100, low: 0, usual: 2.5, levels: [] };
      drawCurves(loss, records, nats, (record) => record.loss, (value) => value.toFixed(2));
      caption.textContent = curvesSentence(records, stopped, start.omit);
    },
  };
}

// Where the axis of accuracies begins: at a multiple of ten below all that happens after the first steps.
function lowest(records, teacherAccuracy) {
  const raced = records.filter(({ step }) => step >= WARM_UP).flatMap(({ accuracy }) => accuracy);
  if (!raced.length) return 0;
  return Math.min(90, 10 * Math.floor(Math.min(...raced, teacherAccuracy) / 10));
}

// Two lines over the training steps; the upper end grows with what there is to show, and a line begins where
// it first reaches the axis.
function drawCurves(picture, records, { title, bottom, low, usual, levels }, read, write) {
  const top = Math.max(usual, Math.ceil(Math.max(...records.flatMap(read))));
  const plot = chart({
    box: { ...CURVES, bottom },
    title,
    levels,
    names: true,
    x: { range: [0, STEPS], ticks: [0, 200, 400, STEPS], title: "training steps", below: 2.25 },
    y: { range: [low, top], ticks: ticksOf(low, top, 4, [1, 2, 2.5, 5]) },
    series: STUDENTS.map(({ short, colour, dash }, who) => ({
      points: records.map((record) => [record.step, read(record)[who]]).filter(([, value]) => value >= low),
      name: `${short} ${write(read(records.at(-1))[who])}`,
      ...{ stroke: colour, "stroke-width": 2.5, "stroke-dasharray": dash },
    })),
  });
  picture.replaceChildren(...plot.drawn);
  return plot;
}

// Each student at its best step on the validation images: a square and a disc, hollow.
function stopMark({ x, y }, { step, accuracy }, who, low) {
  const [across, down] = [x(step), y(Math.max(accuracy, low))];
  const look = { class: "stop", fill: "#fff", stroke: STUDENTS[who].colour, "stroke-width": 2 };
  const told = svg("title", {},
    `${STUDENTS[who].name}, best validation step ${step}: ${percentOf(accuracy)}`);
  if (who === DISTILLED) return svg("circle", { cx: across, cy: down, r: 4.5, ...look }, told);
  return svg("rect", { x: across - 4, y: down - 4, width: 8, height: 8, ...look }, told);
}

function changeMark({ x, y }, [step, name, value], low) {
  const text = `${{ temperature: "T", soft_weight: "weight", learning_rate: "rate" }[name]} ${value}`;
  const at = { x1: x(step), x2: x(step), y1: y(low), y2: y(100) };
  return svg(
    "g",
    { class: "changes" },
    svg("title", {},
      `At step ${step}: ${name === "soft_weight" ? "weight of the teacher" : name.replace("_", " ")} ` +
        `became ${value}`),
    svg("line", { ...at, stroke: INK, "stroke-dasharray": "1 3" }),
    words(x(step) + 3, y(low) - 4, text, { class: "quiet" }),
  );
}

// The numbers at the ends of the lines, for those who cannot see them.
function curvesSpoken(records, teacherAccuracy) {
  const { step, accuracy } = records.at(-1), [hard, soft] = accuracy;
  return `accuracy on test images after ${step} steps: label-only ${percentOf(hard)}, distilled ` +
    `${percentOf(soft)}, teacher ${percentOf(teacherAccuracy)}`;
}

function curvesSentence(records, stops, omitted) {
  const { step, loss } = records.at(-1);
  if (step === 0) return "Both start with the same weights, so they answer alike: by chance. Press Play.";
  const [first, second] = loss.map((value) => value.toFixed(2));
  const less = first === second
    ? `Both losses are ${first} nats`
    : `The ${STUDENTS[loss[1] < loss[0] ? 1 : 0].name}'s loss is lower`;
  const left = omitted === null ? "" : ` Neither has seen a ${omitted}.`;
  return (
    `After ${step} steps. ${less}.${left} Square and circle: the best step so far on the validation images, ` +
    `${stops[0].step} (label-only) and ${stops[1].step} (distilled).`
  );
}

// Teacher and both students on one image, at the temperature that is set.
export function softTargetsView() {
  const width = 300, height = 268, left = 26, row = 24;
  const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img" });
  const x = scale(0, 1, left, width - 8);
  const everyone = [STUDENTS[0], STUDENTS[1], ADVISER];
  const bars = Array.from({ length: CLASSES }, (_, label) => {
    picture.append(words(left - 8, 34 + label * row, String(label), { "text-anchor": "end" }));
    return everyone.map(({ fill }, who) => {
      const bar = svg("rect", { x: left, y: 20 + label * row + ((who + 1) % 3) * 6.6, height: 6, fill },
        svg("title"));
      picture.append(bar);
      return bar;
    });
  });
  const title = words(0, 13, "");
  const frame = svg("rect", { x: 3, width: left - 4, height: row - 3, fill: "none", stroke: INK,
    "stroke-width": 1.5, rx: 3 });
  picture.append(title, frame);
  const digit = html("canvas", { class: "digit", role: "img" });
  const told = html("p", { class: "caption" });
  return {
    element: card("soft-targets", "What they say about one image",
      html("div", { class: "beside" }, digit, picture), told),
    draw({ image, teacher, nets, settings }) {
      paintTiles(digit, 1, 1, (_, pixel) => image.grey[pixel] * 15.9, 1, 0);
      digit.setAttribute("aria-label", image.name);
      title.textContent = `probability of each digit, T = ${settings.temperature}`;
      const logits = [...nets, teacher].map((net) => answers(net, image.inputs, 0, 1));
      const said = logits.map((values) => softmax(values, settings.temperature));
      bars.forEach((group, label) => {
        group.forEach((bar, who) => {
          bar.setAttribute("width", Math.max(0, x(said[who][label]) - left).toFixed(1));
          bar.firstChild.textContent = `${everyone[who].name}, digit ${label}: ` +
            `${percent(said[who][label], 1)}`;
        });
      });
      setAttributes(frame, { y: 19 + (image.label ?? -9) * row });
      picture.setAttribute("aria-label", `${title.textContent}; longer bars are more probable`);
      told.textContent = softSentence(image, logits);
    },
  };
}

function softSentence(image, logits) {
  const said = (values) => {
    const p = softmax(values);
    return `${largestIndex(p)} (${percent(Math.max(...p))})`;
  };
  const [hard, soft, teacher] = logits.map(said);
  const answer = largestIndex(logits[2]);
  const runnerUp = largestIndex(logits[2].map((value, c) => (c === answer ? -Infinity : value)));
  return (
    `${image.name}. At T = 1 the teacher says ${teacher}, and after that ${runnerUp}; ` +
    `the label-only student ${hard}, the distilled student ${soft}.`
  );
}

// The fraction of each digit's test images that each gets right.
export function classesView() {
  const { x, y, drawn } = chart({
    box: { left: 36, right: WIDTH, top: 24, bottom: 166 },
    title: "test images right (%)",
    x: { range: [0, CLASSES], title: "digit", below: 2.6 },
    y: { range: [0, 100], ticks: [0, 50, 100] },
  });
  const picture = svgPicture(WIDTH, 206, "Percent right for each digit", ...drawn), floor = y(0);
  const groups = Array.from({ length: CLASSES }, (_, label) => {
    const at = x(label);
    const bars = STUDENTS.map(({ fill }, who) =>
      svg("rect", { x: at + 3 + who * 14.5, width: 14, fill }, svg("title"))
    );
    const tick = svg("line", { x1: at + 1, x2: at + 33.5, stroke: ADVISER.colour, "stroke-width": 3 },
      svg("title"));
    const name = words(at + 17, floor + 18, String(label), { "text-anchor": "middle" });
    picture.append(...bars, tick, name);
    return { bars, tick, name };
  });
  const caption = html("p", { class: "caption" });
  return {
    element: card("classes", "Digit by digit", picture, caption),
    draw({ data, said, teacherSaid, settings }) {
      const recalls = [...said, teacherSaid].map((answers) =>
        groups.map((_, label) => recall(answers, data, label))
      );
      groups.forEach(({ bars, tick, name }, label) => {
        bars.forEach((bar, who) => {
          const top = y(recalls[who][label]);
          setAttributes(bar, { y: top.toFixed(1), height: (floor - top).toFixed(1) });
          bar.firstChild.textContent = `${STUDENTS[who].name}, digit ${label}: ` +
            `${percentOf(recalls[who][label])}`;
        });
        setAttributes(tick, { y1: y(recalls[2][label]), y2: y(recalls[2][label]) });
        tick.firstChild.textContent = `teacher, digit ${label}: ${percentOf(recalls[2][label])}`;
        name.setAttribute("class", label === settings.omit ? "left-out" : "");
        name.textContent = label === settings.omit ? `no ${label}` : String(label);
      });
      caption.textContent = classesSentence(recalls, settings.omit);
    },
  };
}

function classesSentence([hard, soft], omitted) {
  const gains = soft.map((value, label) => value - hard[label]);
  if (gains.every((gain) => gain === 0)) {
    return "The two students are right on the same share of every digit.";
  }
  const [most, least] = [largestIndex(gains), largestIndex(gains.map((gain) => -gain))];
  const end = gains[least] < 0 ? `, the label-only student most on ${least} (${signed(-gains[least])})` : "";
  const left = omitted === null
    ? ""
    : ` On the ${omitted}s that no student saw: ${percentOf(hard[omitted])} and ${percentOf(soft[omitted])}.`;
  return `The distilled student is ahead most on ${most} (${signed(gains[most])} points)${end}.${left}`;
}

const COLUMNS = 12, ROWS = 2, SHOWN = COLUMNS * ROWS;

// Images that only one of the two gets right, and some of each digit to point at.
export function imagesView(choose) {
  const strips = [
    strip("Only the label-only student is right", STUDENTS[0].colour, choose),
    strip("Only the distilled student is right", STUDENTS[1].colour, choose),
    strip("Two of each digit", INK, choose),
  ];
  return {
    element: card(
      "images",
      "Images: point at one",
      ...strips.map(({ element }) => element),
      html("p", { class: "caption" },
        "Point at an image, or choose one with the arrow keys, to see what they say about it."),
    ),
    draw({ data, said, image }) {
      const truth = data.truth.subarray(data.train, data.train + data.test), all = [...truth.keys()];
      const right = said.map((answers) => all.filter((n) => answers[n] === truth[n]));
      const sets = right.map((mine) => new Set(mine));
      const fixed = Array.from({ length: CLASSES },
        (_, label) => all.filter((n) => truth[n] === label).slice(0, 2));
      strips[0].show(data, right[0].filter((n) => !sets[1].has(n)), image.index);
      strips[1].show(data, right[1].filter((n) => !sets[0].has(n)), image.index);
      strips[2].show(data, fixed.flat(), image.index);
    },
  };
}

function strip(title, colour, choose) {
  const canvas = html("canvas", { tabindex: 0, role: "application",
    "aria-label": `${title}. Arrow keys choose an image.` });
  const heading = html("p", { class: "strip-title", style: `border-color: ${colour}` });
  let images = [];
  const pick = (event) => {
    const box = canvas.getBoundingClientRect();
    const column = Math.floor(((event.clientX - box.left) / box.width) * COLUMNS);
    const line = Math.floor(((event.clientY - box.top) / box.height) * ROWS);
    const chosen = images[line * COLUMNS + column];
    if (chosen !== undefined) choose(chosen);
  };
  canvas.addEventListener("pointermove", pick);
  canvas.addEventListener("pointerdown", pick);
  let at = 0;
  onArrows(canvas, (across, down) => {
    if (!images.length) return;
    at = clamp(at + across + COLUMNS * down, 0, images.length - 1);
    choose(images[at], true);
  });
  return {
    element: html("div", { class: "strip" }, heading, canvas),
    show(data, all, chosen) {
      images = all.slice(0, SHOWN);
      if (images.includes(chosen)) at = images.indexOf(chosen);
      const more = all.length > SHOWN ? `; ${SHOWN} are shown` : "";
      heading.textContent = `${title}: ${all.length || "none"}${more}`;
      // Where there is nothing to choose, the Tab key goes on.
      canvas.tabIndex = images.length ? 0 : -1;
      // Of one height, however many there are: what is below stands still.
      const shade = (n, pixel) => {
        const grey = data.grey[(data.train + images[n]) * PIXELS + pixel] * 15.9;
        return images[n] === chosen ? 255 - grey : grey;
      };
      paintTiles(canvas, images.length, COLUMNS, shade, ROWS);
      canvas.style.aspectRatio = `${canvas.width} / ${canvas.height}`;
    },
  };
}

// What the students hear: the parts of their losses, and the labelled images.
export function lessonView() {
  const width = 390, left = 82, line = 26;
  const picture = svg("svg", { viewBox: `0 0 ${width} ${2 * line}`, role: "img",
    "aria-label": "Labels and teacher, as shares of each loss" });
  const x = scale(0, 1, left, width - 1);
  const rows = STUDENTS.map(({ short, colour }, who) => {
    const at = { y: 3 + who * line, height: line - 6 };
    const labels = svg("rect", { ...at, x: left, fill: "#fff", stroke: INK }),
      teacher = svg("rect", { ...at, fill: ADVISER.fill });
    const said = [words(left + 8, at.y + 15, "labels"),
      words(width - 8, at.y + 15, "teacher", { "text-anchor": "end", style: "fill: #fff" })];
    picture.append(words(0, at.y + 15, short, { style: `fill: ${colour}` }), labels, teacher, ...said);
    return { labels, teacher, said };
  });
  const canvas = html("canvas", { role: "img" });
  const heading = html("p", { class: "strip-title", style: `border-color: ${INK}` });
  const caption = html("p", { class: "caption" });
  return {
    element: card("lesson", "What they learn from", picture,
      html("div", { class: "strip still" }, heading, canvas), caption),
    draw({ data, taught, settings }) {
      rows.forEach(({ labels, teacher, said }, who) => {
        const weight = who === DISTILLED ? settings.soft_weight : 0, edge = x(1 - weight);
        labels.setAttribute("width", (edge - left).toFixed(1));
        setAttributes(teacher, { x: edge.toFixed(1), width: (x(1) - edge).toFixed(1) });
        said.forEach((text, part) =>
          text.setAttribute("opacity", (part ? weight : 1 - weight) > 0.2 ? 1 : 0)
        );
      });
      const shown = taught.few.slice(0, SHOWN), count = taught.few.length;
      heading.textContent = `${count} labelled images${count > SHOWN ? `; ${SHOWN} are shown` : ""}`;
      canvas.setAttribute("aria-label", heading.textContent);
      paintTiles(canvas, shown.length, COLUMNS, (n, pixel) => data.grey[shown[n] * PIXELS + pixel] * 15.9,
        ROWS);
      caption.textContent = lessonSentence(taught, settings);
    },
  };
}

function lessonSentence({ few, wrong, seen }, { soft_weight, temperature, unlabelled, permuted }) {
  const parts = [];
  if (wrong) parts.push(`${wrong} of the ${few.length} labels are wrong.`);
  if (unlabelled) parts.push(`The distilled student also meets ${seen - few.length} images without a label.`);
  const told = `the teacher's answers (T = ${temperature}${permuted ? ", shuffled" : ""})`;
  const shares = [percent(1 - soft_weight), percent(soft_weight)];
  parts.push(`In the distilled student's loss, labels weigh ${shares[0]}, ${told} ${shares[1]}.`);
  return parts.join(" ");
}

// The first layer's weights of both students, a picture a unit.
export function weightsView() {
  const parts = STUDENTS.map(({ name, colour }) => {
    const canvas = html("canvas", { role: "img", "aria-label": `First-layer weights of the ${name}` });
    const title = html("p", { class: "strip-title", style: `border-color: ${colour}` }, name);
    return { canvas, element: html("div", {}, title, canvas) };
  });
  const caption = html("p", { class: "caption" });
  return {
    element: card("weights", "What their hidden units look for",
      html("div", { class: "two" }, ...parts.map((p) => p.element)), caption),
    draw({ nets, begun }) {
      const largest = nets.reduce(
        (most, { w1 }) => w1.reduce((m, value) => Math.max(m, Math.abs(value)), most),
        0.2,
      );
      nets.forEach(({ w1, hidden }, who) => {
        const shade = (unit, pixel) => 127 + (127 * w1[unit * PIXELS + pixel]) / largest;
        paintTiles(parts[who].canvas, hidden, Math.min(8, hidden), shade);
      });
      const moved = nets.map(({ weights }) => distance(weights, begun));
      caption.textContent =
        `Each picture is one unit: dark where ink speaks for it, light where ink speaks against it. Both began alike; ` +
        `since then the weights moved by ${moved[0].toFixed(1)} (label-only) and ${moved[1].toFixed(1)} ` +
        `(distilled).`;
    },
  };
}

function distance(a, b) {
  return Math.sqrt(a.reduce((sum, value, i) => sum + (value - b[i]) ** 2, 0));
}
