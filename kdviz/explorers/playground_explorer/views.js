// The pictures. Each view is made once and has `element` and `draw(state)`; `state` is the page itself, only read.

import { chart } from "../kit/chart.js";
import { html, onArrows, setAttributes, svg, svgPicture, words } from "../kit/elements.js";
import { clamp, largestIndex, percent, signed } from "../kit/numbers.js";
import { ADVISER, card, paintTiles, percentOf, STUDENTS } from "./drawing.js";
import { CLASSES, PIXELS } from "./engine.js";
import { recall } from "./trainer.js";

const WIDTH = 390;

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
    strip("Two of each digit", "currentColor", choose),
  ];
  return {
    element: card(
      "images",
      "Images",
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

// The labelled images that they learn from.
export function lessonView() {
  const canvas = html("canvas", { role: "img" });
  const heading = html("p", { class: "strip-title", style: "border-color: currentColor" });
  const caption = html("p", { class: "caption" });
  return {
    element: card("lesson", "What they learn from", html("div", { class: "strip still" }, heading, canvas),
      caption),
    draw({ data, taught, settings }) {
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
    element: card("weights", "Hidden units", html("div", { class: "two" }, ...parts.map((p) => p.element)),
      caption),
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
