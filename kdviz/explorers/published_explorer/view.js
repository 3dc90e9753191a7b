// What papers report, from four sides: their gains, one recipe for many losses, two recipes, and one score.
//
// `look(model)` computes everything a view shows from the model's traits, which are the only state.

import { apart, chart, lineThrough, ticksOf } from "../kit/chart.js";
import { BASELINE, choice, chooser, html, INK, knob, onArrows, setAttributes, STUDENT, svg, TEACHER,
  words } from "../kit/elements.js";
import { mean, minus, signed } from "../kit/numbers.js";
import { drawnByFrame, openPanel, save } from "../kit/panel.js";

const VIEWS = ["reported gains", "one recipe", "two rankings", "score"];
const FILTERS = ["dataset", "knowledge", "scheme"];
const TRAITS = ["view", ...FILTERS, "size", "point", "method", "left", "right", "size_weight"];
const ALL = "all", GREY = "#b9b9b9";
// By what is transferred; what mixes several kinds is grey.
const KINDS = { response: TEACHER, feature: STUDENT, relation: "#007a5a" };

// ---- Mathematics ----

function ranksOf(values) {
  const order = [...values.keys()].sort((a, b) => values[b] - values[a]);
  const ranks = Array(values.length);
  for (let i = 0; i < order.length;) {
    let end = i;
    while (end < order.length && values[order[end]] === values[order[i]]) end++;
    for (let j = i; j < end; j++) ranks[order[j]] = (i + end + 1) / 2;
    i = end;
  }
  return ranks;
}

function correlation(a, b) {
  const [ma, mb] = [mean(a), mean(b)];
  const product = (x, mx, y, my) => x.reduce((sum, value, i) => sum + (value - mx) * (y[i] - my), 0);
  return product(a, ma, b, mb) / Math.sqrt(product(a, ma, a, ma) * product(b, mb, b, mb));
}

function known(values) {
  return values.filter((value) => value !== null);
}

// Mean over plain KD by method, KD itself left out.
function meansOf({ methods }) {
  const rows = Object.entries(methods).filter(([name]) => name !== "KD");
  return Object.fromEntries(rows.map(([name, values]) => [name, mean(known(values))]));
}

function passes(row, model) {
  const stated = typeof row.share === "number" ? "stated" : "not stated";
  return FILTERS.every((name) => [ALL, row[name]].includes(model.get(name))) &&
    [ALL, stated].includes(model.get("size"));
}

function scoreOf(row, weight) {
  return weight * row.share + (1 - weight) * (1 - row.accuracy / row.teacher_accuracy);
}

function look(model) {
  const view = model.get("view"), weight = model.get("size_weight"), benchmarks = model.get("benchmarks");
  const asked = model.get("points").map((row, index) => ({ ...row, index }));
  const shown = asked.filter((row) =>
    passes(row, model) && (view !== "score" || (row.share && row.teacher_accuracy))
  );
  const rows = shown.map((row) => ({
    ...row,
    gain: row.accuracy - row.baseline_accuracy,
    score: row.share && row.teacher_accuracy ? scoreOf(row, weight) : null,
  }));
  const chosen = rows.find(({ index }) => index === model.get("point")) ?? null;
  const best = view === "score" && rows.length ? rows.reduce((a, b) => (b.score < a.score ? b : a)) : null;
  const [left, right] = ["left", "right"].map((side) => benchmarks[model.get(side)]);
  return { view, weight, rows, chosen, best, left, right, method: model.get("method") };
}

function shared({ left, right }) {
  const [a, b] = [meansOf(left), meansOf(right)];
  const names = Object.keys(a).filter((name) => name in b);
  const ranks = [a, b].map((means) => ranksOf(names.map((name) => means[name])));
  return { names, means: [a, b], ranks, rho: correlation(...ranks) };
}

// ---- What is said ----

function told(row) {
  const teacher = row.teacher_accuracy ? `, teacher ${row.teacher_accuracy} %` : ", teacher not stated";
  const size = row.share ? `${(100 * row.share).toFixed(0)} % of its size` : "sizes not stated";
  const gain = (row.accuracy - row.baseline_accuracy).toFixed(2);
  const printed = row.printed_gain !== undefined && row.printed_gain !== null &&
      Math.abs(row.printed_gain - row.accuracy + row.baseline_accuracy) > 0.006
    ? ` Misprint: the table prints a gain of ${row.printed_gain}.`
    : "";
  return `${row.method}, ${row.dataset}: ${row.student} taught by ${row.teacher}, ${row.baseline_accuracy} % ` +
    `without and ${row.accuracy} % with it (${signed(Number(gain), 2)})${teacher}; ${size}. ` +
    `Seeds: not stated.${printed} Source: ${row.source}.`;
}

function gainsSaid({ rows, chosen }) {
  if (!rows.length) return "No row has all of that.";
  const above = rows.filter(({ gain }) => gain > 0).length;
  const lead = `${rows.length} rows, ${above} of them with a gain.`;
  return chosen ? `${lead} ${told(chosen)}` : `${lead} Point at one, or walk through them by the arrow keys.`;
}

function recipeSaid({ left, method }) {
  const values = left.methods[method];
  const wins = Object.values(meansOf(left)).filter((value) => value > 0).length;
  const all = `${wins} of ${Object.keys(meansOf(left)).length} losses are above plain KD on average.`;
  if (!values) return `${method} was not run in ${left.name}. ${all} Source: ${left.source}.`;
  const own = known(values), above = own.filter((value) => value > 0).length;
  return `${method} in ${left.name}: ${
    signed(mean(own), 2)
  } points against plain KD on average, above it on ` +
    `${above} of ${own.length} pairs. ${all} Source: ${left.source}.`;
}

function rankingsSaid(view) {
  const { left, right, method } = view, { names, ranks, rho } = shared(view);
  const at = names.indexOf(method);
  const own = at < 0
    ? `${method} is not in both. `
    : `${method}: rank ${ranks[0][at]}, then ${ranks[1][at]}. `;
  return `${names.length} losses are in both. ${own}Rank correlation of ${left.name} and ${right.name}: ` +
    `${minus(rho.toFixed(2))} (1: the same order, 0: none, −1: the reverse).`;
}

function scoreSaid({ rows, best, chosen, weight }) {
  if (!best) return "No row states both sizes and the teacher's accuracy.";
  const lead =
    `${rows.length} rows. With α = ${weight} the lowest score is ${minus(best.score.toFixed(3))}: ` +
    `${best.method}, ${best.student} taught by ${best.teacher}.`;
  return chosen ? `${lead} Here ${minus(chosen.score.toFixed(3))}: ${told(chosen)}` : lead;
}

const SAID = { "reported gains": gainsSaid, "one recipe": recipeSaid, "two rankings": rankingsSaid,
  score: scoreSaid };

// ---- Pictures: each returns what it draws, and where its marks are ----

function colourOf({ knowledge }) {
  return KINDS[knowledge] ?? BASELINE;
}

function dots(rows, chosen, place) {
  return rows.map((row) => {
    const [cx, cy] = place(row), own = row === chosen;
    const look = { r: own ? 7 : 4, fill: own ? colourOf(row) : "none", stroke: colourOf(row),
      "stroke-width": 1.7 };
    return svg("circle", { cx, cy, ...look });
  });
}

function legend(em) {
  let at = em;
  return [...Object.entries(KINDS), ["several", BASELINE]].map(([name, colour]) => {
    const word = words(at, em, `○ ${name}`, { style: `fill: ${colour}` });
    at += (name.length + 3) * 0.55 * em;
    return word;
  });
}

function spread(values, room) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return [low - room, high + room];
}

function drawGains({ rows, chosen }, box, em) {
  if (!rows.length) return { drawn: [], marks: [] };
  const range = spread(rows.map(({ baseline_accuracy }) => baseline_accuracy), 1);
  const y = [Math.min(0, ...rows.map(({ gain }) => gain)) - 0.4,
    Math.max(...rows.map(({ gain }) => gain)) + 0.4];
  const plot = chart({
    box,
    em,
    x: { range, ticks: ticksOf(...range, 5), title: "accuracy without teacher (%)" },
    y: { range: y, ticks: ticksOf(...y, 5), strong: 0, title: "reported gain (points)" },
  });
  const place = (row) => [plot.x(row.baseline_accuracy), plot.y(row.gain)];
  const marks = rows.map((row) => ({ at: place(row), point: row.index }));
  return { drawn: [...plot.drawn, ...legend(em), ...dots(rows, chosen, place)], marks };
}

function drawScore({ rows, chosen, best, weight }, box, em) {
  if (!rows.length) return { drawn: [], marks: [] };
  const kept = ({ accuracy, teacher_accuracy }) => 100 * accuracy / teacher_accuracy;
  const x = [0, Math.max(...rows.map(({ share }) => share)) * 108], y = spread(rows.map(kept), 0.5);
  const plot = chart({
    box,
    em,
    x: { range: x, ticks: ticksOf(...x, 5), title: "size (% of the teacher's)" },
    y: { range: y, ticks: ticksOf(...y, 5), strong: 100, title: "accuracy (% of the teacher's)" },
  });
  // Where the score is that of the best row: everything above and to the left would be better.
  const line = (share) =>
    weight === 1 ? null : 100 * (1 - (best.score - weight * share / 100) / (1 - weight));
  const ends = x.map((share) => [share, line(share)]);
  const dashed = { stroke: INK, "stroke-width": 1.4, "stroke-dasharray": "6 3" };
  const level = weight === 1 ? [] : [clipped(ends, y, plot, dashed)];
  const place = (row) => [plot.x(100 * row.share), plot.y(kept(row))];
  const [left, top] = place(best), after = left < box.right - 12 * em;
  const named = words(left + (after ? 9 : -9), top - 9, best.method, { "text-anchor": after ? "start" : "end",
    "font-weight": 700 });
  const marks = rows.map((row) => ({ at: place(row), point: row.index }));
  return { drawn: [...plot.drawn, ...legend(em), ...level, ...dots(rows, chosen, place), named], marks };
}

// A straight line as far as it lies between two heights.
function clipped([[x0, y0], [x1, y1]], [low, high], plot, look) {
  const at = (y) => (y1 === y0 ? x0 : x0 + (y - y0) / (y1 - y0) * (x1 - x0));
  const inside = ([x, y]) => y < low ? [at(low), low] : y > high ? [at(high), high] : [x, y];
  return lineThrough([inside([x0, y0]), inside([x1, y1])], plot, look);
}

function drawRecipe({ left, method }, box, em) {
  const every = Object.entries(left.methods).filter(([name]) => name !== "KD");
  const y = spread(every.flatMap(([, values]) => known(values)), 0.5);
  const numbers = left.pairs.map((_, i) => i + 1);
  const own = (name) => name === method;
  const series = every.sort(([a], [b]) => own(a) - own(b)).map(([name, values]) => ({
    name,
    points: values.map((value, i) => [i + 1, value ?? NaN]),
    stroke: own(name) ? STUDENT : GREY,
    "stroke-width": own(name) ? 3 : 1.3,
    named: own(name) ? { style: `fill: ${STUDENT}`, "font-weight": 700 } : { class: "quiet" },
  }));
  const plot = chart({
    box: { ...box, right: box.right - 5 * em },
    em,
    names: true,
    x: { range: [1, numbers.length], ticks: numbers,
      title: `${numbers.length} pairs of teacher and student` },
    y: { range: y, ticks: ticksOf(...y, 5), strong: 0, title: "points over plain KD" },
    series,
  });
  const marks = every.flatMap(([name, values]) =>
    values.flatMap((value,
      i) => (value === null ? [] : [{ at: [plot.x(i + 1), plot.y(value)], method: name }])
    )
  );
  return { drawn: plot.drawn, marks };
}

function drawRankings(view, box, em) {
  const { names, means, ranks } = shared(view), marks = [], drawn = [];
  const columns = [box.left + 7 * em, box.right - 7 * em];
  const room = (box.bottom - box.top) / Math.max(names.length - 1, 1);
  const heights = ranks.map((own) =>
    apart(own.map((rank) => box.top + (rank - 1) * room), 1.1 * em, box.top, box.bottom)
  );
  for (const [i, name] of names.entries()) {
    const own = name === view.method, ends = columns.map((x, side) => [x, heights[side][i]]);
    const [[x1, y1], [x2, y2]] = ends;
    drawn.push(svg("line", { x1, y1, x2, y2, stroke: own ? STUDENT : GREY, "stroke-width": own ? 3 : 1.5 }));
    const look = own ? { style: `fill: ${STUDENT}`, "font-weight": 700 } : {};
    for (const [side, [x, y]] of ends.entries()) {
      const text = `${name} ${signed(means[side][name])}`, anchor = side ? "start" : "end";
      drawn.push(
        words(x + (side ? 0.5 : -0.5) * em, y + 0.33 * em, text, { ...look, "text-anchor": anchor }),
      );
      marks.push({ at: [x, y], method: name });
    }
  }
  const heads = [view.left, view.right].map(({ name }, side) =>
    words(columns[side], em, name, { "text-anchor": side ? "start" : "end", "font-weight": 700 })
  );
  return { drawn: [...drawn, ...heads], marks };
}

const DRAWN = { "reported gains": drawGains, "one recipe": drawRecipe, "two rankings": drawRankings,
  score: drawScore };

// ---- The panel ----

function nearest(marks, [x, y]) {
  const far = ({ at }) => Math.hypot(at[0] - x, at[1] - y);
  return marks.reduce((best, mark) => (best === null || far(mark) < far(best) ? mark : best), null);
}

// The picture of the chosen view; who points at it, or walks by arrow keys, chooses a row or a method.
function makePicture(choose) {
  const inside = svg("g", { tabindex: 0, "aria-label": "Walk through the picture by the arrow keys" });
  const element = svg("svg", { role: "group", "aria-label": "What papers report" }, inside);
  let marks = [];
  element.addEventListener("pointermove", ({ clientX, clientY }) => {
    const { left, top } = element.getBoundingClientRect();
    const mark = nearest(marks, [clientX - left, clientY - top]);
    if (mark) choose(mark);
  });
  let current = null;
  onArrows(inside, (across, down) => {
    const keys = [...new Set(marks.map(({ point, method }) => point ?? method))];
    if (!keys.length) return;
    const at = keys.indexOf(current);
    const key = keys.at((at + across + down + keys.length) % keys.length);
    choose(marks.find(({ point, method }) => (point ?? method) === key));
  });
  const draw = (view, { em, width }) => {
    const height = view.view === "two rankings" ? 24 * em : Math.min(420, Math.max(300, 0.55 * width));
    setAttributes(element, { viewBox: `0 0 ${width} ${height}`, height });
    const box = { left: 4 * em, right: width - em, top: 2.4 * em, bottom: height - 3 * em };
    const made = DRAWN[view.view](view, box, em);
    marks = made.marks;
    current = ["reported gains", "score"].includes(view.view) ? view.chosen?.index : view.method;
    inside.replaceChildren(svg("rect", { width, height, fill: "none" }), ...made.drawn);
  };
  return { element, draw };
}

function makeControls(model) {
  const points = model.get("points"), benchmarks = model.get("benchmarks");
  const pick = (text, name, options, read = String) => {
    const { select, element } = choice(text, options, (value) => save(model, name, read(value)));
    return { element, show: () => {
      select.value = model.get(name);
    } };
  };
  const values = (name) => [ALL, ...new Set(points.map((row) => row[name]))].map((value) => [value, value]);
  const filters = [["Data", "dataset"], ["Knowledge", "knowledge"], ["Scheme", "scheme"]]
    .map(([text, name]) => pick(text, name, values(name)));
  filters.push(pick("Sizes", "size", [ALL, "stated", "not stated"].map((value) => [value, value])));
  const methods = [...new Set(benchmarks.flatMap(({ methods: own }) => Object.keys(own)))].filter((n) =>
    n !== "KD"
  );
  const names = benchmarks.map(({ name }, i) => [i, name]);
  const method = pick("Loss", "method", methods.map((name) => [name, name]));
  const weight = knob("Weight of size, α", { min: 0, max: 1, step: 0.05 },
    (value) => save(model, "size_weight", value));
  const alpha = { element: weight.element,
    show: () => weight.show(model.get("size_weight"), model.get("size_weight").toFixed(2)) };
  const left = pick("Recipe", "left", names, Number), right = pick("beside", "right", names, Number);
  return { "reported gains": filters, "one recipe": [left, method], "two rankings": [left, right, method],
    score: [alpha] };
}

function render({ model, el }) {
  return openPanel(el, "kdviz-published", (root, guarded) => {
    const views = chooser("What to look at", VIEWS, (index) => save(model, "view", VIEWS[index]));
    const controls = makeControls(model), bar = html("div", { class: "controls" });
    const readOut = html("p", { class: "read-out", "aria-live": "polite" });
    const picture = makePicture(({ point, method }) => {
      if (point !== undefined) save(model, "point", point);
      else save(model, "method", method);
    });
    root.append(views.element, bar, picture.element, readOut);
    let barOf = null;
    const after = (view) => {
      views.draw(VIEWS.indexOf(view.view));
      if (barOf !== view.view) bar.replaceChildren(...controls[view.view].map(({ element }) => element));
      barOf = view.view;
      for (const { show } of controls[view.view]) show();
      readOut.textContent = SAID[view.view](view);
    };
    const parts = [picture];
    return drawnByFrame({ model, traits: TRAITS, root, panel: root, parts, look: () => look(model), guarded,
      after }).end;
  });
}

export default { render };
