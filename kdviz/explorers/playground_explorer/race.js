// The race: how many test images each gets right while they learn, from where it is decided; the gap between
// the two, and the label-only student at its best.

import { chart, ticksOf } from "../kit/chart.js";
import { html, setAttributes, setText, svg, svgPicture, words } from "../kit/elements.js";
import { signed } from "../kit/numbers.js";
import { ADVISER, card, percentOf, shownGain, STUDENTS } from "./drawing.js";
import { DISTILLED, LABEL_ONLY, STEPS } from "./engine.js";

const BOX = { left: 34, right: 330, top: 24, bottom: 218 };
// From here on a curve is shown whole; what lies before may be below the axis.
const WARM_UP = 60;

// `result` gives the numbers that the page's question is about: hard, soft and stopped.
export function raceView() {
  const picture = svgPicture(440, 262, "test images right (%)");
  const gain = html("strong", { class: "gain" }), what = html("span", {}), beside = html("span", {});
  const caption = html("p", { class: "caption" });
  return {
    element: card("curves", "The race", html("p", { class: "score" }, gain, what, beside), picture, caption),
    draw(page) {
      const { records, stopped, teacherAccuracy, changes, start } = page;
      const { low, high } = rangeOf(records);
      const stop = stopped[LABEL_ONLY], started = page.step > 0;
      const teacher = { value: teacherAccuracy, name: `teacher ${teacherAccuracy.toFixed(1)}`,
        stroke: ADVISER.colour };
      const named = ({ short }, value) => `${short} ${value.toFixed(1)}`;
      const plot = chart({
        box: BOX,
        title: `test images right (%)${low ? `: the axis begins at ${low}` : ""}`,
        names: true,
        levels: teacherAccuracy > high ? [] : [teacher],
        x: { range: [0, STEPS], ticks: [0, 200, 400, STEPS], title: "training steps", below: 2.4 },
        y: { range: [low, high], ticks: ticksOf(low, high, 4, [1, 2, 2.5, 5]) },
        series: STUDENTS.map((student, who) => ({
          points: records.map(({ step, accuracy }) => [step, accuracy[who]]).filter(([, v]) => v >= low),
          name: named(student, records.at(-1).accuracy[who]),
          ...{ stroke: student.colour, "stroke-width": 2.5, "stroke-dasharray": student.dash },
        })),
      });
      picture.replaceChildren(gapOf(records, plot, low), ...plot.drawn,
        ...changes.filter(([step]) => step > 0).map((change) => changeMark(plot, change, low, high)),
        ...(teacherAccuracy > high ?
          [words(BOX.right + 6, BOX.top - 4, `${teacher.name} ↑`, { style: `fill: ${ADVISER.colour}` })] :
          []), ...(started ? stopMark(plot, stop, low) : []));
      const [hard, soft] = records.at(-1).accuracy;
      setAttributes(picture, { "aria-label": `After ${page.step} steps: ${STUDENTS[0].name} ` +
        `${percentOf(hard)}, ${STUDENTS[1].name} ${percentOf(soft)}, teacher ${
          percentOf(teacherAccuracy)
        }` });
      const shown = page.result();
      setText(gain, signed(shownGain(shown.hard, shown.soft)));
      setText(what, `points${shown.onDigit ? ` on the ${start.omit}s` : ""}: distilled minus label-only`);
      setText(beside,
        `${signed(shownGain(shown.stopped, shown.soft))} against the label-only student's best stop`);
      setText(caption, raceSentence(page, stop, start.omit));
    },
  };
}

// From a multiple of five below all that happens after the first steps to one above; at first everything. The
// teacher may be above.
function rangeOf(records) {
  const raced = records.filter(({ step }) => step >= WARM_UP).flatMap(({ accuracy }) => accuracy);
  if (!raced.length) return { low: 0, high: 100 };
  return { low: 5 * Math.floor(Math.min(...raced) / 5 - 1e-9), high: 5 * Math.ceil(Math.max(...raced) / 5) };
}

// The area between the two curves, a strip a record, in the colour of the one that is ahead.
function gapOf(records, { x, y }, low) {
  const height = (value) => y(Math.max(value, low)).toFixed(1), paths = ["", ""];
  for (let i = 1; i < records.length; i++) {
    const [a, b] = [records[i - 1], records[i]], [from, to] = [x(a.step).toFixed(1), x(b.step).toFixed(1)];
    const ahead = b.accuracy[DISTILLED] >= b.accuracy[LABEL_ONLY] ? DISTILLED : LABEL_ONLY;
    paths[ahead] += `M${from} ${height(a.accuracy[0])}L${to} ${height(b.accuracy[0])}L${to} ` +
      `${height(b.accuracy[1])}L${from} ${height(a.accuracy[1])}Z`;
  }
  return svg("g", { class: "gap" },
    ...STUDENTS.map(({ colour }, who) => svg("path", { d: paths[who], fill: colour, opacity: 0.16 })));
}

// The label-only student at its best step on the validation images: a hollow square.
function stopMark({ x, y }, { step, accuracy }, low) {
  const across = x(step), down = y(Math.max(accuracy, low)), { name, colour } = STUDENTS[LABEL_ONLY];
  const told = svg("title", {}, `${name}, best validation step ${step}: ${percentOf(accuracy)}`);
  return [
    svg("rect", { x: across - 5, y: down - 5, width: 10, height: 10, class: "stop paper", stroke: colour,
      "stroke-width": 2.5 }, told),
    words(across, down + 21, "best stop", { "text-anchor": step > STEPS / 2 ? "end" : "middle",
      class: "small halo", style: `fill: ${colour}` }),
  ];
}

function changeMark({ x, y }, [step, name, value], low, high) {
  const text = `${{ temperature: "T", soft_weight: "weight", learning_rate: "rate" }[name]} ${value}`;
  const at = { x1: x(step), x2: x(step), y1: y(low), y2: y(high) };
  return svg(
    "g",
    { class: "changes" },
    svg("title", {},
      `At step ${step}: ${name === "soft_weight" ? "weight of the teacher" : name.replace("_", " ")} ` +
        `became ${value}`),
    svg("line", { ...at, stroke: "var(--ink)", "stroke-dasharray": "1 3" }),
    words(x(step) + 3, y(low) - 4, text, { class: "quiet" }),
  );
}

function raceSentence({ step }, stop, omitted) {
  if (step === 0) return "Both start with the same weights, so they answer alike: by chance.";
  const left = omitted === null ? "" : ` Neither has seen a ${omitted}.`;
  return `Shaded: the gap between the two. Square: the label-only student had it stopped at its best step ` +
    `on the validation images, ${stop.step}.${left}`;
}
