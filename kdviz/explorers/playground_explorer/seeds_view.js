// Run 30 seeds: one run may be luck, thirty say how sure the gain is.

import { chart, scale, ticksOf } from "../kit/chart.js";
import { button, html, svg, words } from "../kit/elements.js";
import { mean, signed } from "../kit/numbers.js";
import { card, percentOf, STUDENTS } from "./drawing.js";
import { DISTILLED, LABEL_ONLY } from "./engine.js";
import { runSeeds } from "./workers.js";

export const SEEDS = 30;
// In a result: the label-only student at its best validation step.
const STOPPED = 2;
// 97.5 % points of Student's t for 4 to 29 degrees of freedom.
const T_TABLE = [
  2.776,
  2.571,
  2.447,
  2.365,
  2.306,
  2.262,
  2.228,
  2.201,
  2.179,
  2.16,
  2.145,
  2.131,
  2.12,
  2.11,
  2.101,
  2.093,
  2.086,
  2.08,
  2.074,
  2.069,
  2.064,
  2.06,
  2.056,
  2.052,
  2.048,
  2.045,
];

// The mean paired gain with its 95 % t interval; no interval below five seeds.
function interval(gains) {
  const count = gains.length, middle = mean(gains),
    found = { mean: middle, count, above: gains.filter((gain) => gain > 0).length };
  if (count < 5) return found;
  const variance = gains.reduce((sum, gain) => sum + (gain - middle) ** 2, 0) / (count - 1);
  const half = T_TABLE[count - 5] * Math.sqrt(variance / count);
  return { ...found, low: middle - half, high: middle + half };
}

function intervalSentence(found, what) {
  if (found.low === undefined) {
    return `${signed(found.mean)} points ${what} over ${found.count} seeds: too few for an interval.`;
  }
  const { mean, low, high, count, above } = found;
  const agree = mean < 0
    ? `${count - above} of ${count} seeds did not gain`
    : `${above} of ${count} seeds gained`;
  const verdict = low <= 0 && high >= 0 ? " Null: the interval holds zero." : "";
  return `${signed(mean)} points ${what}, from ${signed(low)} to ${signed(high)} (95 % interval); ` +
    `${agree}.${verdict}`;
}

// `tell` speaks in the page's live region: once at the end, not thirty times on the way.
// `moved` hears when they begin and end.
export function seedsView(page, tell, moved) {
  const width = 390, height = 270;
  const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img" });
  const toggle = () => (running ? stop("Stopped.") : start());
  const run = button(`Run ${SEEDS} seeds`, toggle, { class: "run-seeds plain" });
  const bar = html("progress", { max: SEEDS, value: 0, "aria-label": "Seeds that are finished" });
  const told = html("p", { class: "caption" });
  let running = null, results = [], of = null, problem = "";

  function start() {
    of = { ...page.settings };
    [results, problem] = [[], ""];
    const began = performance.now();
    // Others than the one that is shown, which gave rise to the question.
    const seeds = [...Array(SEEDS + 1).keys()].filter((seed) => seed !== of.seed).slice(0, SEEDS);
    running = runSeeds(page.packed, of, seeds, (message) => {
      if (message.kind === "problem") return stop(`A worker failed: ${message.text}.`);
      if (message.kind !== "seed") return;
      results.push(message);
      if (results.length === SEEDS) stop(`Done in ${((performance.now() - began) / 1000).toFixed(0)} s.`);
      else show();
    });
    show();
    moved();
  }

  function stop(why) {
    running?.stop();
    running = null;
    problem = why;
    show();
    tell(results.length === SEEDS ? `${why} What came out stands below “Was it luck?”` : why);
    moved();
  }

  function show() {
    run.textContent = running ? "Stop" : `Run ${SEEDS} seeds`;
    bar.value = results.length;
    bar.hidden = !running;
    const stale = of && !sameRecipe(of, page.settings);
    // No empty axes.
    picture.toggleAttribute("hidden", !results.length);
    picture.setAttribute("opacity", stale ? 0.45 : 1);
    drawPairs(picture, results, width, height, of?.omit ?? null);
    told.textContent = sentences(stale);
    picture.setAttribute("aria-label", told.textContent);
  }

  function sentences(stale) {
    if (!of) {
      return `One run may be luck. ${SEEDS} other seeds draw other labelled images, initial weights and batches.`;
    }
    if (!results.length) return running ? "The first seeds are in training." : problem;
    const parts = [];
    if (stale) parts.push("These are the seeds of the settings before your change.");
    parts.push(running ? `${results.length} of ${SEEDS} seeds.` : problem);
    parts.push(intervalSentence(interval(gainsOf(results, "accuracy")), "for the distilled student"));
    if (of.omit !== null) {
      parts.push(
        intervalSentence(interval(gainsOf(results, "recall")), `on the ${of.omit}s that no student saw`),
      );
    }
    const rival = "for it against the label-only student stopped at its best validation step";
    parts.push(intervalSentence(interval(gainsOf(results, measureOf(of.omit), STOPPED)), rival));
    parts.push(
      "One teacher and one split of the images serve all seeds: the intervals are about students only.",
    );
    return parts.join(" ");
  }

  show();
  return {
    element: card("seeds", "Was it luck?", html("div", { class: "run" }, run, bar), picture, told),
    draw: () => of && sameRecipe(of, page.settings) === (picture.getAttribute("opacity") !== "1") && show(),
    toggle,
    // Of the present settings: "none", "running" or "done".
    state() {
      if (!of || !sameRecipe(of, page.settings)) return "none";
      return running ? "running" : results.length === SEEDS ? "done" : "none";
    },
    close: () => running?.stop(),
  };
}

function sameRecipe(a, b) {
  return Object.keys(a).every((name) => name === "seed" || a[name] === b[name]);
}

// Of the distilled student at its end, beside another.
function gainsOf(results, measure, rival = LABEL_ONLY) {
  return results.map((result) => result[measure][DISTILLED] - result[measure][rival]);
}

// What the question is about: all test images, or the digit that is left out.
const measureOf = (omit) => (omit === null ? "accuracy" : "recall");

// Left: each seed's two students and the label-only one at its best stop, joined. Right: the gains, and their
// mean and its interval beside either rival.
function drawPairs(picture, results, width, height, omit) {
  const measure = measureOf(omit), shown = results.map((result) => result[measure].slice(0, STOPPED + 1));
  const all = shown.flat(), fives = (round, value) => round(value / 5) * 5;
  const low = all.length ? fives(Math.floor, Math.min(...all)) : 60;
  const high = all.length ? Math.max(fives(Math.ceil, Math.max(...all)), low + 5) : 100;
  const box = { left: 36, right: 208, top: 34, bottom: height - 34 }, columns = [64, 126, 184];
  const y = { range: [low, high], ticks: ticksOf(low, high) };
  const plot = chart({ box, y, x: { range: [0, 1] },
    title: omit === null ? "test accuracy (%)" : `${omit}s right (%)` });
  const lines = shown.flatMap((values) =>
    [0, 1].map((from) =>
      svg("line", { x1: columns[from], x2: columns[from + 1], y1: plot.y(values[from]),
        y2: plot.y(values[from + 1]), stroke: "var(--line)" })
    )
  );
  const pairs = [
    ...lines,
    ...shown.flatMap((values, i) =>
      values.map((value, who) =>
        mark(who, columns[who], plot.y(value), `seed ${results[i].seed}: ${percentOf(value)}`)
      )
    ),
  ];
  const named = [...STUDENTS, { short: "its stop", colour: STUDENTS[LABEL_ONLY].colour }];
  const names = named.map(({ short, colour }, who) =>
    words(columns[who], box.bottom + 22, short, { "text-anchor": "middle", style: `fill: ${colour}` })
  );
  picture.replaceChildren(...plot.drawn, ...pairs, ...names,
    ...drawGains(results, measure, 240, width - 10, box.bottom));
}

// A square for the label-only student, hollow at its stop, and a disc for the distilled one.
function mark(who, x, y, told) {
  const title = svg("title", {}, told);
  if (who === DISTILLED) {
    return svg("circle", { cx: x, cy: y, r: 4, fill: STUDENTS[DISTILLED].colour, opacity: 0.7 }, title);
  }
  const colour = STUDENTS[LABEL_ONLY].colour;
  const look = who === STOPPED ? { fill: "none", stroke: colour } : { fill: colour, opacity: 0.7 };
  return svg("rect", { x: x - 3.5, y: y - 3.5, width: 7, height: 7, ...look }, title);
}

function drawGains(results, measure, from, to, floor) {
  const gains = gainsOf(results, measure), beside = gainsOf(results, measure, STOPPED);
  const drawn = [words(from - 22, 13, "gain of each seed (points)")];
  const means = beside.length ? [interval(beside)] : [];
  const ends = [...gains, ...means.flatMap(({ mean, low = mean, high = mean }) => [low, high])];
  const range = [Math.min(-1, ...ends) - 0.5, Math.max(1, ...ends) + 0.5], x = scale(...range, from, to);
  const quiet = { "text-anchor": "middle", class: "quiet" };
  drawn.push(
    ...ticksOf(...range, 5).filter(Number.isInteger).map((tick) =>
      words(x(tick), floor + 22, signed(tick, 0), quiet)
    ),
  );
  drawn.push(
    svg("line", { x1: x(0), x2: x(0), y1: 26, y2: floor, stroke: "var(--ink)", "stroke-dasharray": "2 3" }),
  );
  drawn.push(svg("line", { x1: from, x2: to, y1: floor, y2: floor, stroke: "var(--edge)" }));
  const heights = new Map();
  gains.forEach((gain, i) => {
    const column = Math.round(x(gain) / 8), stacked = heights.get(column) ?? 0;
    heights.set(column, stacked + 1);
    const told = `seed ${results[i].seed}: ${signed(gain)} points`;
    const dot = mark(DISTILLED, column * 8, floor - 8 - stacked * Math.min(9, 120 / gains.length + 4), told);
    // The one that has just come falls in.
    if (i === gains.length - 1) dot.setAttribute("class", "new");
    drawn.push(dot);
  });
  if (!gains.length) return drawn;
  const row = { x, middle: (from + to) / 2 };
  drawn.push(...drawMean(interval(gains), 32, { ...row, rival: "against its end" }));
  drawn.push(...drawMean(interval(beside), 66, { ...row, rival: "against its stop" }));
  return drawn;
}

function drawMean({ mean, low, high }, y, { x, middle, rival }) {
  const drawn = [], stroke = STUDENTS[DISTILLED].colour;
  if (low !== undefined) {
    drawn.push(svg("line", { x1: x(low), x2: x(high), y1: y, y2: y, stroke, "stroke-width": 5 }));
  }
  drawn.push(svg("circle", { cx: x(mean), cy: y, r: 5, class: "paper", stroke, "stroke-width": 2.5 }));
  drawn.push(words(middle, y + 19, `${signed(mean)} ${rival}`, { class: "halo", "text-anchor": "middle" }));
  return drawn;
}
