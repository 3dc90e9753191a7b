// The distillation score of several students: drag the weight of size, and see which student wins.
//
// `look(model)` computes everything a view shows from the model's traits, which are the only state.

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
    const size = student[measure] / teacher[measure];
    const score = distillationScore(size, student.accuracy / teacher.accuracy, weight);
    const [low, high] = student.gain;
    return { ...student, size, score, enough: student.accuracy >= minimum, low, high, mean: (low + high) / 2, sure: low > 0 || high < 0 };
  });
  const lowest = (among) => among.reduce((best, row) => (best === null || row.score < best.score ? row : best), null);
  const guesser = (1 - weight) * (1 - 100 / (model.get("classes") * teacher.accuracy));
  return {
    weight, measure, minimum, teacher, rows, guesser,
    best: lowest(rows.filter((row) => row.enough)),
    lowest: lowest(rows),
  };
}

function sentence({ weight, measure, minimum, best, lowest, guesser, rows }) {
  const lead = `With α = ${weight} on ${measure}, `;
  const first = `${lowest.name} has the lowest score, ${minus(lowest.score.toFixed(3))}`;
  if (best === null) return `${lead}${first}, but no student reaches ${minimum} %.`;
  const choice = best === lowest
    ? `and it reaches the ${minimum} % you ask for`
    : `but only ${lowest.accuracy.toFixed(1)} %; of those that reach ${minimum} % it is ${best.name}, ${minus(best.score.toFixed(3))}`;
  const worse = rows.filter((row) => row.score >= weight).length;
  const keep = worse ? ` ${worse} of ${rows.length} are no better than keeping the teacher.` : "";
  const gain = `Its teacher changed its accuracy by ${signed(best.mean)} points${best.sure ? "" : ", which is null"}.`;
  const empty = guesser < weight ? ` A constant guesser of no size scores ${guesser.toFixed(3)}, better than the teacher's ${weight}.` : "";
  return `${lead}${first}, ${choice}. ${gain}${keep}${empty}`;
}

// ---- The parts of the panel ----

const CHART = { width: 860, left: 52, right: 96, top: 26, scores: 190, gap: 34, gains: 92, bottom: 42 };
const FLOOR = CHART.top + CHART.scores, GAINS = FLOOR + CHART.gap;
const HEIGHT = GAINS + CHART.gains + CHART.bottom;

function drawChart(view, picture) {
  const { rows, weight, guesser, best, measure, minimum } = view;
  const sizes = [...rows.map(({ size }) => size), 1].map(Math.log10);
  const [left, right] = [Math.min(...sizes) - 0.15, Math.max(...sizes) + 0.1];
  const x = (size) => CHART.left + ((Math.log10(size) - left) / (right - left)) * (CHART.width - CHART.left - CHART.right);
  // Fixed for all weights, so that what moves is the score and not its axis.
  const high = Math.max(1, ...rows.map(({ size, score }) => Math.max(size, score)));
  const low = Math.min(0, ...rows.map(({ score }) => score)) - 0.02;
  const y = (score) => CHART.top + ((high - score) / (high - low)) * CHART.scores;
  const ends = { x1: CHART.left, x2: CHART.width - CHART.right };
  const drawn = [
    words(0, 13, "Distillation score (lower is better)"),
    words(CHART.width - CHART.right, 13, `filled: at least ${minimum} %`, { "text-anchor": "end", style: `fill: ${STUDENT}` }),
  ];
  for (const tick of [0, 0.25, 0.5, 0.75, 1]) {
    drawn.push(svg("line", { ...ends, y1: y(tick), y2: y(tick), stroke: tick === 0 ? "#777" : "#e3e3e3" }));
    drawn.push(words(CHART.left - 6, y(tick) + 4, String(tick), { "text-anchor": "end", class: "quiet" }));
  }
  const apart = Math.abs(y(weight) - y(guesser)) < 15 ? (weight > guesser ? -5 : 12) : 4;
  for (const [value, text, color, dash, move] of [[weight, "the teacher", TEACHER, "", apart], [guesser, "a guesser", BASELINE, "2 3", apart === 4 ? 4 : 7 - apart]]) {
    drawn.push(svg("line", { ...ends, y1: y(value), y2: y(value), stroke: color, "stroke-width": 2, "stroke-dasharray": dash }));
    drawn.push(words(CHART.width - CHART.right + 6, y(value) + move, text, { style: `fill: ${color}` }));
  }
  drawn.push(svg("polyline", { points: bySize(rows).map((row) => `${x(row.size)},${y(row.score)}`).join(" "), fill: "none", stroke: STUDENT, "stroke-width": 1.4, "stroke-dasharray": "6 3" }));
  for (const row of rows) {
    const size = row === best ? 9 : 6;
    const mark = svg("path", {
      d: `M${x(row.size)},${y(row.score) - size} l${size},${size} l${-size},${size} l${-size},${-size} z`,
      fill: row.enough ? STUDENT : "#fff", stroke: STUDENT, "stroke-width": 1.6,
    });
    mark.append(svg("title", {}, `${row.name}: ${minus(row.score.toFixed(3))}`));
    drawn.push(mark);
  }
  if (best !== null) {
    drawn.push(words(x(best.size), y(best.score) - 14, `best: ${best.name}`, { "text-anchor": "middle", "font-weight": 700 }));
  }
  drawn.push(...drawGains(view, x));
  drawn.push(words(CHART.width - CHART.right, HEIGHT - 6, `${measure} as a share of the teacher's`, { "text-anchor": "end", class: "quiet" }));
  picture.replaceChildren(...drawn);
}

function bySize(rows) {
  return [...rows].sort((one, other) => one.size - other.size);
}

function drawGains({ rows }, x) {
  const reach = Math.max(1, ...rows.flatMap(({ low, high }) => [Math.abs(low), Math.abs(high)]));
  const y = (gain) => GAINS + CHART.gains / 2 - (gain / reach) * (CHART.gains / 2);
  const ends = { x1: CHART.left, x2: CHART.width - CHART.right };
  const drawn = [words(0, GAINS - 10, "Gain over the same student without teacher (points, 95 % interval)")];
  for (const tick of [-reach, 0, reach]) {
    drawn.push(svg("line", { ...ends, y1: y(tick), y2: y(tick), stroke: tick === 0 ? INK : "#e3e3e3" }));
    drawn.push(words(CHART.left - 6, y(tick) + 4, tick === 0 ? "0" : signed(tick), { "text-anchor": "end", class: "quiet" }));
  }
  for (const row of rows) {
    drawn.push(svg("line", { x1: x(row.size), x2: x(row.size), y1: y(row.low), y2: y(row.high), stroke: STUDENT, "stroke-width": 2.5 }));
    drawn.push(svg("circle", { cx: x(row.size), cy: y(row.mean), r: 3.5, fill: row.sure ? STUDENT : "#fff", stroke: STUDENT, "stroke-width": 1.6 }));
  }
  const exponents = [-4, -3, -2, -1, 0].filter((power) => x(10 ** power) >= CHART.left);
  for (const power of exponents) {
    drawn.push(words(x(10 ** power), GAINS + CHART.gains + 18, power === 0 ? "1" : String(10 ** power), { "text-anchor": "middle", class: "quiet" }));
  }
  return drawn;
}

function drawTable({ rows, best, measure, teacher }, body) {
  const unit = UNITS[measure] ? ` (${UNITS[measure]})` : "";
  const head = ["student", `${measure}${unit}`, "share", "accuracy (%)", "gain (points)", "score"];
  const line = (cells, tag, kind = "") => html("tr", { class: kind }, ...cells.map((cell) => html(tag, {}, cell)));
  body.replaceChildren(
    line(head, "th"),
    ...bySize(rows).map((row) => line([
      row === best ? `${row.name}, best` : row.enough ? row.name : `${row.name}, too little`,
      amount(row[measure]), row.size.toPrecision(2), row.accuracy.toFixed(1),
      `${signed(row.mean)} ± ${((row.high - row.low) / 2).toFixed(1)}${row.sure ? "" : ", null"}`,
      minus(row.score.toFixed(3)),
    ], "td", row === best ? "best" : row.enough ? "" : "too-little")),
    line(["the teacher", amount(teacher[measure]), "1", teacher.accuracy.toFixed(1), "", ""], "td"),
  );
}

function render({ model, el }) {
  const weight = knob("Weight of size, α", { min: 0, max: 1, step: 0.05 }, (value) => save(model, "size_weight", value));
  const minimum = knob("Least accuracy", { min: 0, max: 100, step: 1 }, (value) => save(model, "minimum", value));
  const measures = model.get("measures").map((name) => [name, name]);
  const select = dropDown("Size in", measures, (name) => save(model, "measure", name));
  // With one measure there is nothing to choose.
  const chooser = select.length > 1 ? [html("label", { class: "knob" }, "Size in", select)] : [];
  const chart = svg("svg", { viewBox: `0 0 ${CHART.width} ${HEIGHT}`, role: "img", "aria-label": "Distillation score and gain of each student, by size" });
  const body = html("tbody");
  const readOut = html("p", { class: "read-out", "aria-live": "polite" });

  const draw = guardedBy(readOut, "picture", () => {
    const view = look(model);
    weight.show(view.weight, view.weight.toFixed(2));
    minimum.show(view.minimum, `${view.minimum} %`);
    select.value = view.measure;
    drawChart(view, chart);
    drawTable(view, body);
    readOut.textContent = sentence(view);
  });

  el.append(html(
    "div",
    { class: "kdviz-score" },
    html("div", { class: "controls" }, weight.element, minimum.element, ...chooser),
    chart,
    html("div", { class: "scroll" }, html("table", {}, body)),
    readOut,
  ));
  draw();
  return follow(model, TRAITS, draw);
}

export default { render };
