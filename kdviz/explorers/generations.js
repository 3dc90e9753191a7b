// Self-distillation in closed form: a ridge regression that is fitted to its own fit.
//
// In the kernel's eigen-directions a fit multiplies what it is shown by d / (d + ridge). So generation g
// has that factor to the power g + 1: small directions fade first. `look(model)` computes everything shown.

const MILLISECONDS = 450, SHOWN = 16;
const TRAITS = ["ridge", "generation"];

// ---- Mathematics ----

function factors(eigenvalues, ridge, generation) {
  return eigenvalues.map((d) => (d / (d + ridge)) ** (generation + 1));
}

// The curve of a generation on the grid. The last fit divides by d + ridge; all before it shrink.
function curve(model, ridge, generation) {
  const values = model.get("eigenvalues"), targets = model.get("targets");
  const weights = values.map((d, i) => (targets[i] / (d + ridge)) * (d / (d + ridge)) ** generation);
  return model.get("directions").map((row) => row.reduce((sum, value, i) => sum + value * weights[i], 0));
}

function distance(one, other) {
  return Math.sqrt(one.reduce((sum, value, i) => sum + (value - other[i]) ** 2, 0) / one.length);
}

function look(model) {
  const ridge = model.get("ridge"), generation = model.get("generation"), truth = model.get("truth");
  const errors = [];
  for (let g = 0; g <= model.get("last"); g++) errors.push(distance(curve(model, ridge, g), truth));
  const single = model.get("ridges").map((other) => distance(curve(model, other, 0), truth));
  return {
    ridge, generation, truth, errors,
    best: Math.min(...single),
    first: curve(model, ridge, 0),
    now: curve(model, ridge, generation),
    kept: factors(model.get("eigenvalues"), ridge, generation),
  };
}

function sentence({ generation, errors, best, kept, ridge }) {
  const half = kept.filter((share) => share > 0.5).length;
  const lead = `Generation ${generation}, ridge ${ridge}: ${errors[generation].toFixed(3)} from the truth`;
  const most = errors.indexOf(Math.min(...errors));
  const first = generation === 0 ? " (taught by the noisy points)" : `, generation 0 was ${errors[0].toFixed(3)}`;
  const goal = `At this ridge generation ${most} comes nearest, ${errors[most].toFixed(3)}; one single fit with the best ridge, ${best.toFixed(3)}.`;
  return `${lead}${first}. More than half is kept of ${half} direction${half === 1 ? "" : "s"}. ${goal}`;
}

// ---- The parts of the panel ----

const MAIN = { width: 560, height: 330, left: 34, right: 8, top: 26, bottom: 26 };

function drawCurves(model, view, picture) {
  const points = model.get("points"), grid = model.get("grid");
  const every = [...points.map(([, y]) => y), ...view.truth];
  const low = Math.min(...every) - 0.15, high = Math.max(...every) + 0.15;
  const x = (value) => MAIN.left + value * (MAIN.width - MAIN.left - MAIN.right);
  const y = (value) => MAIN.top + ((high - value) / (high - low)) * (MAIN.height - MAIN.top - MAIN.bottom);
  const line = (values, attributes) => svg("polyline", {
    points: values.map((value, i) => `${x(grid[i]).toFixed(1)},${y(value).toFixed(1)}`).join(" "), fill: "none", ...attributes,
  });
  const drawn = [];
  for (const tick of [-1, 0, 1]) {
    drawn.push(svg("line", { x1: MAIN.left, x2: MAIN.width - MAIN.right, y1: y(tick), y2: y(tick), stroke: "#e3e3e3" }));
    drawn.push(words(MAIN.left - 6, y(tick) + 4, String(tick).replace("-", "−"), { "text-anchor": "end", class: "quiet" }));
  }
  for (const [a, b] of points) {
    drawn.push(svg("rect", { x: x(a) - 3, y: y(b) - 3, width: 6, height: 6, fill: "#fff", stroke: INK, "stroke-width": 1.2 }));
  }
  drawn.push(line(view.truth, { stroke: BASELINE, "stroke-width": 2, "stroke-dasharray": "2 3" }));
  drawn.push(line(view.first, { stroke: TEACHER, "stroke-width": 2 }));
  drawn.push(line(view.now, { class: "now", stroke: STUDENT, "stroke-width": 3, "stroke-dasharray": "8 4" }));
  drawn.push(words(MAIN.left, 13, "the truth (dotted)", { style: `fill: ${BASELINE}` }));
  drawn.push(words(MAIN.left + 126, 13, "generation 0 (solid)", { style: `fill: ${TEACHER}` }));
  drawn.push(words(MAIN.left + 268, 13, `generation ${view.generation} (dashed)`, { style: `fill: ${STUDENT}` }));
  drawn.push(words(MAIN.left + 424, 13, "□ noisy points"));
  drawn.push(words(MAIN.width - MAIN.right, MAIN.height - 6, "input", { "text-anchor": "end", class: "quiet" }));
  picture.replaceChildren(...drawn);
}

const SIDE = { width: 270, height: 158, left: 40, right: 8, top: 24, bottom: 34 };

function frame(title, below) {
  return [
    words(0, 13, title),
    svg("line", { x1: SIDE.left, x2: SIDE.width - SIDE.right, y1: SIDE.height - SIDE.bottom, y2: SIDE.height - SIDE.bottom, stroke: "#777" }),
    words(SIDE.width - SIDE.right, SIDE.height - 2, below, { "text-anchor": "end", class: "quiet" }),
  ];
}

function drawErrors({ errors, best, generation }, picture) {
  const wide = SIDE.width - SIDE.left - SIDE.right, floor = SIDE.height - SIDE.bottom;
  const top = Math.max(...errors, best) * 1.05;
  const x = (g) => SIDE.left + (g / (errors.length - 1)) * wide;
  const y = (value) => floor - (value / top) * (floor - SIDE.top);
  const drawn = frame("Distance from the truth", "generation");
  for (const tick of [0, top / 1.05]) {
    drawn.push(words(SIDE.left - 5, y(tick) + 4, tick === 0 ? "0" : tick.toFixed(2), { "text-anchor": "end", class: "quiet" }));
  }
  for (const tick of [0, 4, 8, 12]) {
    if (tick < errors.length) drawn.push(words(x(tick), floor + 15, String(tick), { "text-anchor": "middle", class: "quiet" }));
  }
  drawn.push(svg("line", { x1: SIDE.left, x2: SIDE.width - SIDE.right, y1: y(best), y2: y(best), stroke: BASELINE, "stroke-width": 2, "stroke-dasharray": "2 3" }));
  drawn.push(words(SIDE.width - SIDE.right, y(best) + 14, "best single fit", { "text-anchor": "end", style: `fill: ${BASELINE}` }));
  drawn.push(svg("polyline", { points: errors.map((value, g) => `${x(g)},${y(value)}`).join(" "), fill: "none", stroke: STUDENT, "stroke-width": 2, "stroke-dasharray": "6 3" }));
  drawn.push(svg("path", { d: `M${x(generation)},${y(errors[generation]) - 6} l6,6 l-6,6 l-6,-6 z`, fill: STUDENT }));
  picture.replaceChildren(...drawn);
}

function drawFactors({ kept }, picture) {
  const shown = kept.slice(0, SHOWN), floor = SIDE.height - SIDE.bottom;
  const wide = (SIDE.width - SIDE.left - SIDE.right) / shown.length, high = floor - SIDE.top;
  const drawn = frame("What is kept of each direction", "directions, smooth to wiggly");
  for (const [share, text] of [[0, "0"], [1, "100 %"]]) {
    drawn.push(words(SIDE.left - 5, floor - share * high + 4, text, { "text-anchor": "end", class: "quiet" }));
  }
  drawn.push(...shown.map((share, place) => svg("rect", {
    x: SIDE.left + place * wide + 1, width: wide - 2, y: floor - share * high, height: share * high, fill: STUDENT,
  })));
  picture.replaceChildren(...drawn);
}

function render({ model, el }) {
  const last = model.get("last"), ridges = model.get("ridges");
  let timer = null;
  const generation = knob("Generation", { min: 0, max: last }, (value) => { pause(); save(model, "generation", value); });
  const ridge = knob("Ridge", { min: 0, max: ridges.length - 1 }, (place) => save(model, "ridge", ridges[place]));
  const picture = (box, label) => svg("svg", { viewBox: `0 0 ${box.width} ${box.height}`, role: "img", "aria-label": label });
  const curves = picture(MAIN, "Noisy points, the truth, the first fit and the present generation");
  const errors = picture(SIDE, "Distance from the truth by generation");
  const kept = picture(SIDE, "What is kept of each direction");
  const readOut = html("p", { class: "read-out", "aria-live": "polite" });

  function pause() {
    clearInterval(timer);
    timer = null;
    play.textContent = "Play";
  }
  function forward() {
    if (model.get("generation") >= last) return pause();
    save(model, "generation", model.get("generation") + 1);
  }
  const play = button("Play", () => {
    if (timer !== null) return pause();
    if (model.get("generation") >= last) save(model, "generation", 0);
    play.textContent = "Pause";
    timer = setInterval(forward, MILLISECONDS);
  });
  const step = button("Step", () => {
    pause();
    save(model, "generation", (model.get("generation") + 1) % (last + 1));
  });
  const reset = button("Reset", () => {
    pause();
    save(model, "generation", 0);
  });

  const draw = guardedBy(readOut, "picture", () => {
    const view = look(model);
    generation.show(view.generation, String(view.generation));
    ridge.show(ridges.indexOf(view.ridge), String(view.ridge));
    drawCurves(model, view, curves);
    drawErrors(view, errors);
    drawFactors(view, kept);
    readOut.textContent = sentence(view);
  });

  el.append(html(
    "div",
    { class: "kdviz-generations" },
    html("div", { class: "controls" }, generation.element, play, step, reset, ridge.element),
    html("div", { class: "pictures" }, curves, html("div", { class: "side" }, errors, kept)),
    readOut,
  ));
  draw();
  const unfollow = follow(model, TRAITS, draw);
  return () => {
    pause();
    unfollow();
  };
}

export default { render };
