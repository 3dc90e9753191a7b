// The distillation score of several students: drag the weight of size, and see which student wins.
//
// `look(model)` computes everything a view shows from the model's traits, which are the only state.

import { chart, lineThrough } from "../kit/chart.js";
import { BASELINE, choice, html, knob, STUDENT, svg, svgPicture, tableRow, TEACHER,
  words } from "../kit/elements.js";
import { minus, signed } from "../kit/numbers.js";
import { follow, guardedBy, save } from "../kit/panel.js";

const TRAITS = ["measure", "size_weight", "minimum"];
const UNITS = { latency: "s" };

function amount(value) {
  return value >= 1 ? Math.round(value).toLocaleString("en") : value.toPrecision(2);
}

// ---- Mathematics ----

function distillationScore(size, accuracy, weight) {
  return weight * size + (1 - weight) * (1 - accuracy);
}

function look(model) {
  const weight = model.get("size_weight"), measure = model.get("measure"), minimum = model.get("minimum");
  const teacher = model.get("teacher");
  const rows = model.get("students").map((student) => {
    const size = student[measure] / teacher[measure], [low, high] = student.gain;
    const score = distillationScore(size, student.accuracy / teacher.accuracy, weight);
    const sure = low > 0 || high < 0;
    return { ...student, size, score, enough: student.accuracy >= minimum, low, high, mean: (low + high) / 2,
      sure };
  }).sort((one, other) => one.size - other.size);
  const lowest = (among) =>
    among.reduce((best, row) => best === null || row.score < best.score ? row : best, null);
  const guesser = (1 - weight) * (1 - 100 / (model.get("classes") * teacher.accuracy));
  const best = lowest(rows.filter((row) => row.enough));
  return { weight, measure, minimum, teacher, rows, guesser, best, lowest: lowest(rows) };
}

function sentence({ weight, measure, minimum, best, lowest, guesser, rows }) {
  const lead = `With α = ${weight} on ${measure}, `;
  const first = `${lowest.name} has the lowest score, ${minus(lowest.score.toFixed(3))}`;
  if (best === null) return `${lead}${first}, but no student reaches ${minimum} %.`;
  const choice = best === lowest
    ? `and it reaches the ${minimum} % you ask for`
    : `but only ${lowest.accuracy.toFixed(1)} %; of those that reach ${minimum} % it is ${best.name}, ` +
      minus(best.score.toFixed(3));
  const worse = rows.filter((row) => row.score >= weight).length;
  const keep = worse ? ` ${worse} of ${rows.length} are no better than keeping the teacher.` : "";
  const null_ = best.sure ? "" : ", which is null";
  const gain = `Its teacher changed its accuracy by ${signed(best.mean)} points${null_}.`;
  const empty = guesser < weight
    ? ` A constant guesser of no size scores ${guesser.toFixed(3)}, better than the teacher's ${weight}.`
    : "";
  return `${lead}${first}, ${choice}. ${gain}${keep}${empty}`;
}

// ---- The parts of the panel ----

const SCORES = { left: 52, right: 764, top: 26, bottom: 216 }, GAINS = { ...SCORES, top: 250, bottom: 342 };
const SIZE = [860, 384];

// By size, on one axis of x for both pictures.
function drawChart(view, drawing) {
  const sizes = [...view.rows.map(({ size }) => size), 1].map(Math.log10);
  const range = [10 ** (Math.min(...sizes) - 0.15), 10 ** (Math.max(...sizes) + 0.1)];
  const x = { range, log: true };
  const filled = { "text-anchor": "end", style: `fill: ${STUDENT}` };
  drawing.replaceChildren(
    ...drawScores(view, x),
    words(SCORES.right, 13, `filled: at least ${view.minimum} %`, filled),
    ...drawGains(view, { ...x, ticks: [1e-4, 1e-3, 1e-2, 0.1, 1].filter((tick) => tick >= range[0]),
      text: String }),
    words(SCORES.right, SIZE[1] - 6, `${view.measure} as a share of the teacher's`, {
      "text-anchor": "end",
      class: "quiet",
    }),
  );
}

function drawScores({ rows, weight, guesser, best }, x) {
  // Fixed for all weights, so that what moves is the score and not its axis.
  const high = Math.max(1, ...rows.map(({ size, score }) => Math.max(size, score)));
  const low = Math.min(0, ...rows.map(({ score }) => score)) - 0.02;
  const plot = chart({
    box: SCORES,
    x,
    title: "Distillation score (lower is better)",
    names: true,
    y: { range: [low, high], ticks: [0, 0.25, 0.5, 0.75, 1], strong: 0 },
    levels: [
      { value: weight, name: "the teacher", stroke: TEACHER },
      { value: guesser, name: "a guesser", stroke: BASELINE, "stroke-dasharray": "2 3" },
    ],
  });
  const dashed = { stroke: STUDENT, "stroke-width": 1.4, "stroke-dasharray": "6 3" };
  plot.drawn.push(lineThrough(rows.map(({ size, score }) => [size, score]), plot, dashed));
  for (const row of rows) {
    const size = row === best ? 9 : 6;
    const d = `M${plot.x(row.size)},${plot.y(row.score) - size} l${size},${size} l${-size},${size} ` +
      `l${-size},${-size} z`;
    const mark = { d, fill: row.enough ? STUDENT : "#fff", stroke: STUDENT, "stroke-width": 1.6 };
    plot.drawn.push(svg("path", mark, svg("title", {}, `${row.name}: ${minus(row.score.toFixed(3))}`)));
  }
  if (best === null) return plot.drawn;
  const bold = { "text-anchor": "middle", "font-weight": 700 };
  return [...plot.drawn, words(plot.x(best.size), plot.y(best.score) - 14, `best: ${best.name}`, bold)];
}

function drawGains({ rows }, x) {
  const reach = Math.max(1, ...rows.flatMap(({ low, high }) => [Math.abs(low), Math.abs(high)]));
  const y = { range: [-reach, reach], ticks: [-reach, 0, reach], strong: 0,
    text: (tick) => tick ? signed(tick) : "0" };
  const plot = chart({ box: GAINS, x, y });
  const title = "Gain over the same student without teacher (points, 95 % interval)";
  const points = rows.flatMap((row) => {
    const at = plot.x(row.size),
      look = { stroke: STUDENT, "stroke-width": 1.6, fill: row.sure ? STUDENT : "#fff" };
    const whisker = { x1: at, x2: at, y1: plot.y(row.low), y2: plot.y(row.high), stroke: STUDENT,
      "stroke-width": 2.5 };
    return [svg("line", whisker), svg("circle", { cx: at, cy: plot.y(row.mean), r: 3.5, ...look })];
  });
  return [words(0, GAINS.top - 10, title), ...plot.drawn, ...points];
}

function drawTable({ rows, best, measure, teacher }, body) {
  const unit = UNITS[measure] ? ` (${UNITS[measure]})` : "";
  const head = ["student", `${measure}${unit}`, "share", "accuracy (%)", "gain (points)", "score"];
  const line = (row) => {
    const name = row === best ? `${row.name}, best` : row.enough ? row.name : `${row.name}, too little`;
    const gain = `${signed(row.mean)} ± ${((row.high - row.low) / 2).toFixed(1)}${row.sure ? "" : ", null"}`;
    const numbers = [amount(row[measure]), row.size.toPrecision(2), row.accuracy.toFixed(1)];
    const kind = row === best ? "best" : row.enough ? "" : "too-little";
    return tableRow("td", [name, ...numbers, gain, minus(row.score.toFixed(3))], { class: kind });
  };
  const last = ["the teacher", amount(teacher[measure]), "1", teacher.accuracy.toFixed(1), "", ""];
  body.replaceChildren(tableRow("th", head), ...rows.map(line), tableRow("td", last));
}

function render({ model, el }) {
  const weight = knob("Weight of size, α", { min: 0, max: 1, step: 0.05 },
    (value) => save(model, "size_weight", value));
  const minimum = knob("Least accuracy", { min: 0, max: 100, step: 1 },
    (value) => save(model, "minimum", value));
  const measures = model.get("measures").map((name) => [name, name]);
  const size = choice("Size in", measures, (name) => save(model, "measure", name));
  // With one measure there is nothing to choose.
  const sizes = measures.length > 1 ? [size.element] : [];
  const drawing = svgPicture(...SIZE, "Distillation score and gain of each student, by size");
  const body = html("tbody");
  const readOut = html("p", { class: "read-out", "aria-live": "polite" });

  const draw = guardedBy(readOut, "picture", () => {
    const view = look(model);
    weight.show(view.weight, view.weight.toFixed(2));
    minimum.show(view.minimum, `${view.minimum} %`);
    size.select.value = view.measure;
    drawChart(view, drawing);
    drawTable(view, body);
    readOut.textContent = sentence(view);
  });

  const controls = html("div", { class: "controls" }, weight.element, minimum.element, ...sizes);
  const table = html("div", { class: "scroll" }, html("table", {}, body));
  el.append(html("div", { class: "kdviz-score" }, controls, drawing, table, readOut));
  draw();
  return follow(model, TRAITS, draw);
}

export default { render };
