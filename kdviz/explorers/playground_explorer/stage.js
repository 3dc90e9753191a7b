// The stage: an image, what the teacher and the label say of it, what flows of that to each student, and what
// the students answer themselves.

import { html, setAttributes, setText, svg, words } from "../kit/elements.js";
import { largestIndex, percent, softmax } from "../kit/numbers.js";
import { ADVISER, card, percentOf, SIDE, STUDENTS } from "./drawing.js";
import { answers, CLASSES, DISTILLED, LABEL_ONLY } from "./engine.js";

const FRAME = { width: 190, height: 142 }, BAR = 17, ROOM = 80, FLOOR = 124;
// Where everything is, and its size; side by side, and for a phone one below the other.
const WIDE = { width: 740, height: 312, image: [1, 94, 104], teacher: [150, 2], label: [150, 166],
  students: [[548, 166], [548, 2]] };
const TALL = { width: 392, height: 492, image: [148, 1, 96], teacher: [1, 134], label: [201, 134],
  students: [[201, 348], [1, 348]] };
const TURNS_TO_TALL = 560;
// A parcel is under way for so many steps.
const JOURNEY = 50;

const LABEL = { name: "label", colour: "var(--ink)", fill: "var(--ink)" };

export function stageView() {
  const image = imageGroup();
  const teacher = answerFrame(ADVISER), label = answerFrame(LABEL);
  const students = STUDENTS.map(answerFrame);
  const flows = [
    flow(teacher, students[DISTILLED], ADVISER.colour),
    flow(label, students[DISTILLED], LABEL.colour),
    flow(label, students[LABEL_ONLY], LABEL.colour),
  ];
  const frames = [teacher, label, ...students];
  const picture = svg("svg", { role: "img" }, ...flows.map((one) => one.element), image.element,
    ...frames.map((one) => one.element));
  const told = html("p", { class: "caption" });
  const element = card("stage", "Who tells whom what", picture, told);

  let tall = null;
  function layOut() {
    const now = element.clientWidth < TURNS_TO_TALL;
    if (now === tall || !element.clientWidth) return;
    tall = now;
    const plan = tall ? TALL : WIDE;
    picture.setAttribute("viewBox", `0 0 ${plan.width} ${plan.height}`);
    image.put(plan.image, tall, [plan.teacher, plan.label]);
    [plan.teacher, plan.label, ...plan.students].forEach((place, i) => frames[i].put(place));
    for (const one of flows) one.layOut(tall);
  }
  // Both before the first picture and whenever the page turns.
  const observer = new ResizeObserver(() => {
    layOut();
    if (last) draw(last);
  });
  observer.observe(element);
  let last = null;

  function draw(page) {
    last = page;
    layOut();
    const seen = whatIsSeen(page), lesson = page.image.lesson;
    image.show(page.image);
    teacher.show(seen.teacher, `${percentOf(page.teacherAccuracy)} right`, seen.notes.teacher);
    label.show(seen.label, "", seen.notes.label);
    STUDENTS.forEach((_, who) => {
      const right = `${percentOf(page.records.at(-1).accuracy[who])} right`;
      students[who].show(seen.students[who], right, seen.notes.students[who]);
    });
    const weight = page.settings.soft_weight, live = lesson && !page.finished;
    const phase = (page.step % JOURNEY) / JOURNEY;
    flows[0].show(lesson ? weight : 0, phase, live, seen.teacher, `soft answers × ${weight}`);
    flows[1].show(lesson ? 1 - weight : 0, phase, live, seen.label,
      `label × ${Number((1 - weight).toFixed(2))}`);
    flows[2].show(lesson ? 1 : 0, phase, live, seen.label, "label × 1");
    const sentence = stageSentence(page, seen);
    setText(told, sentence);
    setAttributes(picture, { "aria-label": sentence });
  }
  return { element, draw, close: () => observer.disconnect() };
}

// The shares of the ten digits that each one shows, and the words below them. In a lesson each student is
// shown as its loss sees it: the distilled one at the teacher's temperature, the label-only one at 1.
function whatIsSeen({ image, teacher, nets, settings }) {
  const T = settings.temperature, { lesson } = image;
  const say = (logits, at) => softmax(logits, at);
  const own = nets.map((net, who) =>
    say(answers(net, image.inputs, 0, 1), lesson && who === DISTILLED ? T : 1)
  );
  return {
    teacher: lesson ? say(lesson.told, T) : say(answers(teacher, image.inputs, 0, 1), 1),
    label: Array.from({ length: CLASSES }, (_, c) => Number(c === (lesson ? lesson.label : image.label))),
    students: own,
    notes: {
      teacher: lesson
        ? `${settings.permuted ? "shuffled" : "softened"}, T = ${T}`
        : "its answer",
      label: labelNote(image),
      students: own.map((_, who) => (lesson && who === DISTILLED ? `answers, T = ${T}` : "answers")),
    },
  };
}

function labelNote({ lesson, label }) {
  if (!lesson) return label === null ? "there is none" : `“${label}”: hidden in the test`;
  return lesson.label === label ? `“${label}”, and no more` : `“${lesson.label}”: wrong, it is a ${label}`;
}

function stageSentence(page, { teacher, students }) {
  const said = (shares) => `${largestIndex(shares)} (${percent(Math.max(...shares))})`;
  const [hard, soft] = students.map(said), first = largestIndex(teacher);
  const next = largestIndex(teacher.map((share, c) => (c === first ? -1 : share)));
  const { name, lesson } = page.image, T = lesson ? `, at T = ${page.settings.temperature},` : "";
  return `${name}. The teacher says${T} ${said(teacher)}, and after that ${next}; ` +
    `the distilled student ${soft}, the label-only student ${hard}.`;
}

// The image, 8 × 8 of ink, and the two lines to those who say something of it.
function imageGroup() {
  const lines = svg("path", { fill: "none", stroke: "var(--edge)", "stroke-width": 1.5 });
  const pixels = Array.from({ length: SIDE * SIDE },
    (_, n) =>
      svg("rect", { x: n % SIDE, y: Math.floor(n / SIDE), width: 1.02, height: 1.02, fill: "var(--ink)" }));
  const grid = svg("g", {}, svg("rect", { width: SIDE, height: SIDE, class: "sheet", "stroke-width": 0.08 }),
    ...pixels);
  const name = words(0, 0, "", { "text-anchor": "middle", class: "quiet" });
  const element = svg("g", { class: "image" }, lines, grid, name);
  let shown = null;
  return {
    element,
    put([x, y, size], tall, targets) {
      const begin = tall ? [[x, y + size / 2], [x + size, y + size / 2]] : [[x + size, y + size / 2]];
      const { width, height } = FRAME;
      lines.setAttribute("d", targets.map(([u, v], i) => {
        const from = begin[i] ?? begin[0], to = tall ? [u + width / 2, v] : [u, v + height / 2];
        const turn = tall ? [to[0], from[1]] : [from[0] + 20, to[1]];
        return `M${from}Q${turn} ${to}`;
      }).join(""));
      grid.setAttribute("transform", `translate(${x} ${y}) scale(${size / SIDE})`);
      setAttributes(name, { x: x + size / 2, y: y + size + (tall ? 15 : 18) });
    },
    show(image) {
      if (image === shown) return;
      shown = image;
      pixels.forEach((pixel, n) => pixel.setAttribute("fill-opacity", image.grey[n] / 16));
      name.textContent = image.short;
    },
  };
}

// One who says something: name, how good, ten bars, and a note.
function answerFrame({ name, colour, fill }) {
  const bars = Array.from({ length: CLASSES },
    (_, c) => svg("rect", { x: 12 + c * BAR, width: BAR - 4, fill }, svg("title")));
  const digits = bars.map((_, c) =>
    words(12 + c * BAR + (BAR - 4) / 2, FLOOR + 13, String(c), { "text-anchor": "middle",
      class: "small quiet" })
  );
  const right = words(FRAME.width - 8, 33, "", { "text-anchor": "end", class: "small", "font-weight": 700 });
  const note = words(8, 33, "", { class: "small quiet" });
  const element = svg(
    "g",
    { class: "frame" },
    svg("rect", { ...FRAME, rx: 8, class: "paper", stroke: colour, "stroke-width": 2 }),
    words(8, 17, name[0].toUpperCase() + name.slice(1), { style: `fill: ${colour}`, "font-weight": 700 }),
    right,
    note,
    svg("line", { x1: 10, x2: FRAME.width - 10, y1: FLOOR, y2: FLOOR, stroke: "var(--line)" }),
    ...bars,
    ...digits,
  );
  const frame = {
    element,
    place: [0, 0],
    put(place) {
      frame.place = place;
      element.setAttribute("transform", `translate(${place.join(" ")})`);
    },
    show(shares, accuracy, text) {
      bars.forEach((bar, c) => {
        const height = (shares[c] * ROOM).toFixed(1);
        setAttributes(bar, { y: (FLOOR - height).toFixed(1), height });
        setText(bar.firstChild, `${name}, digit ${c}: ${percent(shares[c], 1)}`);
      });
      setText(right, accuracy);
      setText(note, text);
    },
  };
  return frame;
}

// What flows from one to another: a band as broad as it counts in the loss, and on it small copies of the bars.
function flow(from, to, colour) {
  const band = svg("path", { fill: "none", stroke: colour, class: "band" });
  const parcels = [0, 0.5].map((ahead) => {
    const bars = Array.from({ length: CLASSES },
      (_, c) => svg("rect", { x: 3 + c * 3.4, width: 2.6, fill: colour }));
    const back = svg("rect", { width: 40, height: 30, rx: 4, class: "paper", stroke: colour });
    return { ahead, bars, element: svg("g", { class: "parcel" }, back, ...bars) };
  });
  const text = words(0, 0, "", { "text-anchor": "middle", class: "small halo" });
  let points = [[0, 0], [0, 0], [0, 0], [0, 0]];
  return {
    element: svg("g", { class: "flow" }, band, ...parcels.map((one) => one.element), text),
    layOut(tall) {
      const [x, y] = from.place, [u, v] = to.place, { width, height } = FRAME;
      // Two flows that meet or begin in one frame keep apart.
      const aside = (n) => (from.place[tall ? 0 : 1] === to.place[tall ? 0 : 1] ? 0 : n);
      const down = (a, b) => [[a, y + height], [a, (y + height + v) / 2], [b, (y + height + v) / 2], [b, v]];
      const across = (a, b) => [[x + width, a], [(x + width + u) / 2, a], [(x + width + u) / 2, b], [u, b]];
      points = tall
        ? down(x + width / 2 - aside(44), u + width / 2 + aside(60))
        : across(y + height / 2 - aside(38), v + height / 2 + aside(40));
      band.setAttribute("d", `M${points[0]}C${points[1]} ${points[2]} ${points[3]}`);
      const [a, b] = along(points, 0.5);
      setAttributes(text, { x: a, y: tall ? b + 4 : b - (aside(1) ? 4 : 22) });
    },
    show(weight, phase, moves, shares, told) {
      setAttributes(band, { "stroke-width": (1 + 15 * weight).toFixed(1), opacity: weight ? 0.25 : 0 });
      parcels.forEach(({ ahead, bars, element }) => {
        setAttributes(element, { opacity: weight && moves ? (0.25 + 0.75 * weight).toFixed(2) : 0 });
        const [a, b] = along(points, (phase + ahead) % 1);
        element.setAttribute("transform", `translate(${(a - 20).toFixed(1)} ${(b - 15).toFixed(1)})`);
        bars.forEach((bar, c) =>
          setAttributes(bar, { y: (27 - 24 * shares[c]).toFixed(1), height: (24 * shares[c]).toFixed(1) })
        );
      });
      setText(text, weight ? told : "");
    },
  };
}

// The point of a Bézier curve at a fraction of its way.
function along(points, t) {
  const parts = [(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t ** 3];
  return [0, 1].map((axis) => points.reduce((sum, point, i) => sum + parts[i] * point[axis], 0));
}

// The labelled training image of which its label leaves out most of what the teacher sees in it; where a
// digit is left out, the one in which the teacher sees most of that.
export function lessonImage(data, settings, few, teacher) {
  const { omit, temperature } = settings;
  const given = teacher.labels;
  let chosen = few[0], most = -1;
  for (const row of few) {
    const shares = softmax(teacher.say(row), temperature);
    const left = omit === null ? 1 - shares[given[row]] : shares[omit];
    if (left <= most || largestIndex(shares) !== data.truth[row]) continue;
    [chosen, most] = [row, left];
  }
  return chosen;
}
