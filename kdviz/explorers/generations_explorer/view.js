// Self-distillation in closed form: a ridge regression that is fitted to its own fit.
//
// In the kernel's eigen-directions a fit multiplies what it is shown by d / (d + ridge). So generation g
// has that factor to the power g + 1: small directions fade first. `look(model)` computes everything shown.

import { chart } from "../kit/chart.js";
import { BASELINE, html, INK, knob, STUDENT, svg, svgPicture, TEACHER, words } from "../kit/elements.js";
import { follow, guardedBy, save } from "../kit/panel.js";
import { makePlayer, transport } from "../kit/player.js";
import { arrayOf } from "../kit/wire.js";

const SECONDS_EACH = 0.45, SHOWN = 16;
const TRAITS = ["ridge", "generation"];

// ---- Mathematics ----

function factors(eigenvalues, ridge, generation) {
  return eigenvalues.map((d) => (d / (d + ridge)) ** (generation + 1));
}

function decode(model) {
  const names = ["grid", "truth", "eigenvalues", "targets"];
  const arrays = names.map((name) => [name, Array.from(arrayOf(model, name).values)]);
  const points = arrayOf(model, "points"), directions = arrayOf(model, "directions");
  const rows = ({ shape, at }) => Array.from({ length: shape[0] }, (_, i) => Array.from(at(i)));
  return { ...Object.fromEntries(arrays), points: rows(points), directions: rows(directions) };
}

// The curve of a generation on the grid. The last fit divides by d + ridge; all before it shrink.
function curve({ eigenvalues, targets, directions }, ridge, generation) {
  const weights = eigenvalues.map((d, i) => (targets[i] / (d + ridge)) * (d / (d + ridge)) ** generation);
  return directions.map((row) => row.reduce((sum, value, i) => sum + value * weights[i], 0));
}

function distance(one, other) {
  return Math.sqrt(one.reduce((sum, value, i) => sum + (value - other[i]) ** 2, 0) / one.length);
}

function look(model, known) {
  const ridge = model.get("ridge"), generation = model.get("generation");
  const errors = [];
  for (let g = 0; g <= model.get("last"); g++) errors.push(distance(curve(known, ridge, g), known.truth));
  const single = model.get("ridges").map((other) => distance(curve(known, other, 0), known.truth));
  return {
    ...known,
    ridge,
    generation,
    errors,
    best: Math.min(...single),
    first: curve(known, ridge, 0),
    now: curve(known, ridge, generation),
    kept: factors(known.eigenvalues, ridge, generation),
  };
}

function sentence({ generation, errors, best, kept, ridge }) {
  const half = kept.filter((fraction) => fraction > 0.5).length;
  const lead = `Generation ${generation}, ridge ${ridge}: ${errors[generation].toFixed(3)} from the truth`;
  const most = errors.indexOf(Math.min(...errors));
  const first = generation === 0
    ? " (taught by the noisy points)"
    : `, generation 0 was ${errors[0].toFixed(3)}`;
  const goal = `At this ridge generation ${most} comes nearest, ${errors[most].toFixed(3)}; ` +
    `one single fit with the best ridge, ${best.toFixed(3)}.`;
  return `${lead}${first}. More than half is kept of ${half} direction${half === 1 ? "" : "s"}. ${goal}`;
}

// ---- The parts of the panel ----

const MAIN = { left: 34, right: 552, top: 26, bottom: 304 }, MAIN_SIZE = [560, 330];
const SIDE = { left: 40, right: 262, top: 24, bottom: 124 }, SIDE_SIZE = [270, 158];
const DOTTED = { stroke: BASELINE, "stroke-dasharray": "2 3" };

function drawCurves({ points, grid, truth, first, now, generation }, drawing) {
  const every = [...points.map(([, y]) => y), ...truth];
  const line = (values, look) => ({ points: values.map((value, i) => [grid[i], value]), ...look });
  const plot = chart({
    box: MAIN,
    x: { range: [0, 1], title: "input", end: true, below: 1.55 },
    y: { range: [Math.min(...every) - 0.15, Math.max(...every) + 0.15], ticks: [-1, 0, 1] },
    series: [
      line(truth, DOTTED),
      line(first, { stroke: TEACHER }),
      line(now, { class: "now", stroke: STUDENT, "stroke-width": 3, "stroke-dasharray": "8 4" }),
    ],
  });
  const square = { width: 6, height: 6, fill: "#fff", stroke: INK, "stroke-width": 1.2 };
  const key = [
    [0, "the truth (dotted)", BASELINE],
    [126, "generation 0 (solid)", TEACHER],
    [268, `generation ${generation} (dashed)`, STUDENT],
    [424, "□ noisy points", INK],
  ];
  drawing.replaceChildren(
    ...points.map(([a, b]) => svg("rect", { x: plot.x(a) - 3, y: plot.y(b) - 3, ...square })),
    ...plot.drawn,
    ...key.map(([at, text, colour]) => words(MAIN.left + at, 13, text, { style: `fill: ${colour}` })),
  );
}

function drawErrors({ errors, best, generation }, drawing) {
  const highest = Math.max(...errors, best);
  const plot = chart({
    box: SIDE,
    title: "Distance from the truth",
    x: { range: [0, errors.length - 1], ticks: [0, 4, 8, 12].filter((g) => g < errors.length),
      title: "generation", end: true },
    y: { range: [0, 1.05 * highest], ticks: [0, highest], text: (tick) => tick ? tick.toFixed(2) : "0",
      strong: 0 },
    levels: [{ value: best, ...DOTTED }],
    series: [{ points: errors.map((value, g) => [g, value]), stroke: STUDENT, "stroke-dasharray": "6 3" }],
  });
  const d = `M${plot.x(generation)},${plot.y(errors[generation]) - 6} l6,6 l-6,6 l-6,-6 z`;
  const named = { "text-anchor": "end", style: `fill: ${BASELINE}` };
  const name = words(SIDE.right, plot.y(best) + 14, "best single fit", named);
  drawing.replaceChildren(...plot.drawn, name, svg("path", { d, fill: STUDENT }));
}

function drawFactors({ kept }, drawing) {
  const shown = kept.slice(0, SHOWN);
  const plot = chart({
    box: SIDE,
    title: "What is kept of each direction",
    x: { range: [0, shown.length], title: "directions, smooth to wiggly", end: true },
    y: { range: [0, 1], ticks: [0, 1], text: (tick) => tick ? "100 %" : "0", strong: 0 },
  });
  const bars = shown.map((part, i) => {
    const box = { x: plot.x(i) + 1, width: plot.x(1) - plot.x(0) - 2, y: plot.y(part),
      height: SIDE.bottom - plot.y(part) };
    return svg("rect", { ...box, fill: STUDENT });
  });
  drawing.replaceChildren(...plot.drawn, ...bars);
}

function render({ model, el }) {
  const known = decode(model), last = model.get("last"), ridges = model.get("ridges");
  const show = (generation) => save(model, "generation", generation);
  const now = () => model.get("generation");
  const player = makePlayer({ last, seconds: last * SECONDS_EACH, now, stepwise: true, rest: () => draw(),
    show: (generation) => generation === now() ? bar.draw() : show(generation) });
  const generation = knob("Generation", { min: 0, max: last }, (value) => {
    player.stop();
    show(value);
  });
  const ridge = knob("Ridge", { min: 0, max: ridges.length - 1 },
    (index) => save(model, "ridge", ridges[index]));
  const bar = transport(player, () => show((now() + 1) % (last + 1)), () => show(0));
  const curves = svgPicture(...MAIN_SIZE,
    "Noisy points, the truth, the first fit and the present generation");
  const errors = svgPicture(...SIDE_SIZE, "Distance from the truth by generation");
  const kept = svgPicture(...SIDE_SIZE, "What is kept of each direction");
  const readOut = html("p", { class: "read-out", "aria-live": "polite" });

  const draw = guardedBy(readOut, "picture", () => {
    const view = look(model, known);
    generation.show(view.generation, String(view.generation));
    ridge.show(ridges.indexOf(view.ridge), String(view.ridge));
    bar.draw();
    drawCurves(view, curves);
    drawErrors(view, errors);
    drawFactors(view, kept);
    readOut.textContent = sentence(view);
  });

  const controls = html("div", { class: "controls" }, generation.element, ...bar.buttons, ridge.element);
  const pictures = html("div", { class: "pictures" }, curves, html("div", { class: "side" }, errors, kept));
  el.append(html("div", { class: "kdviz-generations" }, controls, pictures, readOut));
  draw();
  const unfollow = follow(model, TRAITS, draw);
  return () => {
    player.stop();
    unfollow();
  };
}

export default { render };
