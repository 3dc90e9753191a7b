// A teacher that sees more than its student: what the student is told, and how often it is right.
//
// `look(model)` computes everything a view shows from the model's traits, which are the only state.

import { axesPicture, chart, ticksOf } from "../kit/chart.js";
import { BASELINE, checkbox, chooser, html, knob, setText, STUDENT, svg, TEACHER,
  words } from "../kit/elements.js";
import { capital, clamp } from "../kit/numbers.js";
import { drawnByFrame, openPanel, restingChange } from "../kit/panel.js";
import { unpack } from "../kit/wire.js";
import { blendedTargets, exactAccuracy, fitted } from "./student.js";

const TRAITS = ["world", "soft_weight", "temperature", "shuffled"], HEIGHT = 290, STEPS = 10;

function unpacked({ inputs, rules, labels, teachers, accuracies, says }) {
  const { values, shape } = unpack(inputs);
  return { inputs: values, features: shape[1], rules: unpack(rules), labels: unpack(labels).values,
    teachers: teachers.map((text) => unpack(text).values), accuracies, says };
}

// The accuracy at every weight, each student beginning where the one before it ended.
function accuracies({ inputs, features, labels, rules }, teacher, temperature, penalty) {
  let weights = new Float64Array(features);
  // From soft targets to hard ones: these have the longer weights, to which Newton's method finds more easily.
  return Array.from({ length: STEPS + 1 }, (_, step) => {
    const targets = blendedTargets(labels, teacher, 1 - step / STEPS, temperature);
    weights = fitted(inputs, targets, penalty, weights);
    return exactAccuracy(weights, rules);
  }).reverse();
}

function makeLook(model) {
  const worlds = new Map(), curves = new Map();
  const kept = (map, key, make) => {
    if (!map.has(key)) map.set(key, make());
    return map.get(key);
  };
  return () => {
    const name = model.get("world"), temperature = model.get("temperature"),
      which = Number(model.get("shuffled"));
    const world = kept(worlds, name, () => unpacked(model.get("worlds")[name]));
    const teacher = world.teachers[which], step = Math.round(STEPS * model.get("soft_weight"));
    const curve = kept(curves, `${name} ${temperature} ${which}`,
      () => accuracies(world, teacher, temperature, model.get("penalty")));
    const share = step / STEPS, targets = blendedTargets(world.labels, teacher, share, temperature);
    return { name, temperature, shuffled: which === 1, world, teacher, step, share, curve, targets,
      taught: world.accuracies[which], labels: curve[0], right: curve[step] };
  };
}

function sentence({ name, share, temperature, shuffled, right, labels, taught, step }) {
  const setting = `${capital(name)}, λ = ${share}, T = ${temperature}${shuffled ? ", shuffled" : ""}`;
  const rival = `The teacher is right in ${taught.toFixed(1)} %.`;
  if (step === 0) {
    return `${setting}: the student learns from labels alone, ${labels.toFixed(1)} % right. ${rival}`;
  }
  const ahead = right - labels, said = Math.abs(ahead).toFixed(1);
  const change = Number(said) === 0 ? "as much as" : `${said} points ${ahead > 0 ? "more" : "less"} than`;
  return `${setting}: the student is right in ${right.toFixed(1)} %, ${change} with labels alone. ${rival}`;
}

function drawTargets({ world, teacher, targets, name }, box, em) {
  const reach = Math.max(...teacher.map(Math.abs), 1);
  const plot = chart({
    box,
    em,
    title: `What the student is told: ${name}`,
    x: { range: [-reach, reach], ticks: ticksOf(-reach, reach, 4), title: "the teacher's logit" },
    y: { range: [-0.05, 1.05], ticks: [0, 0.5, 1], title: "target" },
  });
  const dots = Array.from(targets,
    (target, i) =>
      svg("circle", { cx: plot.x(teacher[i]), cy: plot.y(target), r: 3, stroke: INK_OF[world.labels[i]],
        fill: world.labels[i] ? INK_OF[1] : "#fff", "fill-opacity": 0.6 }));
  const key = [0, 1].flatMap((label) => {
    const x = box.left + (0.8 + 7 * label) * em, y = box.top + 0.9 * em;
    return [
      svg("circle", { cx: x, cy: y - 0.3 * em, r: 3.5, stroke: INK_OF[label],
        fill: label ? INK_OF[1] : "#fff" }),
      words(x + 0.6 * em, y, `label ${label}`),
    ];
  });
  return [...plot.drawn, ...dots, ...key];
}

const INK_OF = ["#7a5195", "#222222"];

function drawAccuracies({ curve, step, taught, labels, right, share, temperature }, box, em) {
  const low = Math.floor((Math.min(...curve, taught) - 2) / 10) * 10;
  const points = curve.map((value, i) => [i / STEPS, value]);
  const plot = chart({
    box,
    em,
    title: `Right in all inputs (%), T = ${temperature}`,
    x: { range: [0, 1], ticks: [0, 0.5, 1], title: "λ, the weight of the teacher" },
    y: { range: [low, 100], ticks: ticksOf(low, 100, 5) },
    series: [{ points, stroke: STUDENT, "stroke-width": 2.4 }],
    levels: [{ value: taught, stroke: TEACHER }, { value: labels, stroke: BASELINE,
      "stroke-dasharray": "2 3" }],
  });
  const named = (value, text, colour, above) =>
    words(box.right, clamp(plot.y(value) + (above ? -0.4 : 1.1) * em, box.top + em, box.bottom - 3), text, {
      "text-anchor": "end",
      style: `fill: ${colour}`,
    });
  const key = [named(taught, "teacher", TEACHER, taught < 97),
    named(labels, "labels alone", BASELINE, false)];
  const dot = { cx: plot.x(share), cy: plot.y(right), r: 6, fill: STUDENT, stroke: "#fff",
    "stroke-width": 2 };
  return [...plot.drawn, ...key, svg("circle", dot, svg("title", {}, `student ${curve[step].toFixed(1)} %`))];
}

function render({ model, el }) {
  return openPanel(el, "kdviz-privileged", (root, guarded) => {
    const { change, end } = restingChange(model);
    const names = Object.keys(model.get("worlds")), temperatures = model.get("temperatures");
    const worlds = chooser("The world", names, (index) => change({ world: names[index] }));
    const weight = knob("Weight of the teacher, λ", { min: 0, max: STEPS },
      (step) => change({ soft_weight: step / STEPS }));
    const temperature = knob("Temperature, T", { min: 0, max: temperatures.length - 1 },
      (index) => change({ temperature: temperatures[index] }));
    const shuffle = checkbox("Shuffle what the teacher sees", (shuffled) => change({ shuffled }));
    const says = html("p", { class: "says" });
    const parts = [axesPicture(HEIGHT, "What the student is told of each sample", drawTargets),
      axesPicture(HEIGHT, "How often the student is right, by the weight of the teacher", drawAccuracies)];
    const readOut = html("p", { class: "read-out", "aria-live": "polite" });
    const controls = html("div", { class: "controls" }, worlds.element, weight.element, temperature.element,
      shuffle.element);
    root.append(controls, says, html("div", { class: "pictures" }, ...parts.map(({ element }) => element)),
      readOut);
    const after = (view) => {
      worlds.draw(names.indexOf(view.name));
      weight.show(view.step, view.share.toFixed(1));
      temperature.show(temperatures.indexOf(view.temperature), String(view.temperature));
      shuffle.input.checked = view.shuffled;
      setText(says, view.world.says);
      setText(readOut, sentence(view));
    };
    const drawn = drawnByFrame({ model, traits: TRAITS, root, panel: root, parts, look: makeLook(model),
      guarded, after });
    return () => {
      end();
      drawn.end();
    };
  });
}

export default { render };
