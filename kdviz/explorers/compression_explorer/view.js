// A network made small: what a cut does to its weights, and what is left of its accuracy for how many bytes.
//
// `look(model)` computes everything a view shows from the model's traits, which are the only state.

import { axesPicture, chart, ticksOf } from "../kit/chart.js";
import { BASELINE, chooser, html, INK, knob, STUDENT, svg, TEACHER, words } from "../kit/elements.js";
import { drawnByFrame, openPanel, restingChange } from "../kit/panel.js";

const TRAITS = ["family", "strength"], HEIGHT = 290;
// As cut, mended by labels, mended by a teacher: each with its colour and its dashes.
const ARMS = { "as cut": [INK, "2 3"], labels: [BASELINE, "none"], teacher: [STUDENT, "7 3"] };

function look(model) {
  const families = model.get("families"), family = model.get("family"), whole = model.get("whole");
  const steps = [whole, ...families[family]];
  const strength = Math.min(model.get("strength"), steps.length - 1);
  return { families, family, whole, steps, strength, now: steps[strength], reach: model.get("reach") };
}

function values({ bins }) {
  return bins.filter((count) => count > 0).length;
}

function sentence({ now, whole, strength }) {
  const size = `${now.bytes.toLocaleString("en")} bytes, 1/${(whole.bytes / now.bytes).toFixed(1)} of all`;
  if (strength === 0) return `All of it: ${size}, ${now.arms["all of it"].toFixed(1)} % right.`;
  const said = Object.keys(ARMS).map((arm) => `${arm} ${now.arms[arm].toFixed(1)} %`).join(", ");
  return `${now.name}: ${size}. Right: ${said}. The weights lie in ${
    values(now)
  } of ${now.bins.length} bins.`;
}

function drawWeights({ now, whole, reach }, box, em) {
  const most = Math.max(...whole.bins), bins = now.bins;
  const plot = chart({
    box,
    em,
    title: `Weights of a layer, ${now.name}`,
    x: { range: [-reach, reach], ticks: [-reach, 0, reach], title: "weight",
      text: (tick) => tick.toFixed(1).replace("-", "−") },
    y: { range: [0, most], ticks: ticksOf(0, most, 3), title: "how many" },
  });
  const width = (box.right - box.left) / bins.length;
  const bar = (count, i, look) => {
    const top = plot.y(Math.min(count, most));
    return svg("rect", { x: box.left + i * width, y: top, width: width - 0.5, height: box.bottom - top,
      ...look });
  };
  // What does not fit is told by its number, where the one before it leaves room.
  const high = [];
  let end = -Infinity;
  bins.forEach((count, i) => {
    const at = box.left + (i + 0.5) * width, half = 0.32 * em * String(count).length;
    if (count <= most || at - half < end) return;
    high.push(words(at, box.top - 3, String(count), { "text-anchor": "middle" }));
    end = at + half + 0.3 * em;
  });
  return [...plot.drawn, ...whole.bins.map((count, i) => bar(count, i, { fill: "#dcdcdc" })),
    ...bins.map((count, i) => bar(count, i, { fill: TEACHER, "fill-opacity": 0.75 })), ...high];
}

function drawAccuracies({ families, family, whole, now, strength }, box, em) {
  const every = Object.values(families).flat();
  const sizes = [...every, whole].map(({ bytes }) => bytes);
  const low = Math.min(...every.flatMap(({ arms }) => Object.values(arms)));
  const y = [Math.floor(low / 10) * 10, 100], x = [Math.min(...sizes) / 1.15, Math.max(...sizes) * 1.15];
  const line = (steps, arm) =>
    [whole, ...steps].map((step) => [step.bytes, step.arms[arm] ?? step.arms["all of it"] ?? NaN]);
  const others = Object.entries(families).filter(([name]) => name !== family)
    .map(([, steps]) => ({ points: line(steps, "labels"), stroke: "#c4c4c4", "stroke-width": 1.3 }));
  const own = Object.entries(ARMS).map(([arm, [stroke, dashes]]) => ({ points: line(families[family], arm),
    stroke, "stroke-dasharray": dashes, "stroke-width": 2.4 })
  );
  const plot = chart({
    box,
    em,
    title: "Accuracy by bytes (test, %)",
    x: { range: x, log: true, ticks: [300, 1000, 3000, 10000].filter((tick) => tick >= x[0] && tick <= x[1]),
      text: (tick) => tick.toLocaleString("en"), title: "bytes" },
    y: { range: y, ticks: ticksOf(...y, 5) },
    series: [...others, ...own],
  });
  const dots = strength === 0
    ? [svg("circle", { cx: plot.x(now.bytes), cy: plot.y(now.arms["all of it"]), r: 5, fill: TEACHER })]
    : Object.entries(ARMS).map(([arm, [stroke]]) =>
      svg("circle", { cx: plot.x(now.bytes), cy: plot.y(now.arms[arm]), r: 5, fill: "#fff", stroke,
        "stroke-width": 2.5 })
    );
  const key = Object.entries(ARMS).flatMap(([arm, [stroke, dashes]], i) => {
    const at = box.bottom - (3.4 - i * 1.2) * em, from = box.right - 7.5 * em;
    return [
      svg("line", { x1: from, x2: from + 2 * em, y1: at - 0.3 * em, y2: at - 0.3 * em, stroke,
        "stroke-width": 2.4, "stroke-dasharray": dashes }),
      words(from + 2.5 * em, at, arm, { style: `fill: ${stroke}` }),
    ];
  });
  return [...plot.drawn, ...dots, ...key];
}

function render({ model, el }) {
  return openPanel(el, "kdviz-compression", (root, guarded) => {
    const { change, end } = restingChange(model);
    const names = Object.keys(model.get("families"));
    const families = chooser("How to make it small", names, (index) => change({ family: names[index] }));
    const most = Math.max(...Object.values(model.get("families")).map((steps) => steps.length));
    const strength = knob("How much", { min: 0, max: most }, (value) => change({ strength: value }));
    const parts = [axesPicture(HEIGHT, "How many weights have which value", drawWeights),
      axesPicture(HEIGHT, "Accuracy of each way by its bytes", drawAccuracies)];
    const readOut = html("p", { class: "read-out", "aria-live": "polite" });
    const pictures = html("div", { class: "pictures" }, ...parts.map(({ element }) => element));
    root.append(html("div", { class: "controls" }, families.element, strength.element), pictures, readOut);
    const after = (view) => {
      families.draw(names.indexOf(view.family));
      strength.show(view.strength, view.now.name);
      readOut.textContent = sentence(view);
    };
    const drawn = drawnByFrame({ model, traits: TRAITS, root, panel: root, parts, look: () => look(model),
      guarded, after });
    return () => {
      end();
      drawn.end();
    };
  });
}

export default { render };
