// Two senses: ten pairs of an image and a tone, some of them wrong, and what students learn from such pairs.
//
// `makeLook(model)` gives all that a view shows from the model's traits, which are the only state.

import { axesPicture, chart } from "../kit/chart.js";
import { BASELINE, button, chooser, html, INK, knob, setAttributes, setText, STUDENT, svg, TEACHER,
  words } from "../kit/elements.js";
import { fillPixels, imagesOf } from "../kit/images.js";
import { drawnByFrame, openPanel, restingChange } from "../kit/panel.js";
import { arrayOf } from "../kit/wire.js";
import { player } from "./sound.js";

const TRAITS = ["sense", "way", "hiss", "wrong"], HEIGHT = 310, WAVE = [96, 40];
const TITLES = { tone: "digits teach tones", image: "tones teach digits" };
const STUDENTS = { tone: "ear", image: "eye" };

function makeLook(model) {
  const sines = arrayOf(model, "sines"), noise = arrayOf(model, "noise");
  return () => {
    const sense = model.get("sense"), way = model.get("way"), wrong = model.get("wrong");
    const hisses = model.get("hisses"), hiss = hisses[model.get("hiss")];
    const curves = model.get("curves")[sense][model.get("hiss")];
    // What stands in is the teacher's: an image beside its tone, or a tone beside its image.
    const all = model.get("partners")[way][wrong], own = all.map((_, i) => i);
    const [heard, seen] = sense === "tone" ? [own, all] : [all, own];
    const tone = (i) => {
      const hum = noise.at(i);
      return Array.from(sines.at(i), (value, t) => value + hiss * hum[t]);
    };
    return { sense, way, wrong, hiss, hisses, curves, heard, seen, tone, most: 2 + 3 * hisses.at(-1),
      fractions: model.get("fractions"), ways: Object.keys(model.get("partners")),
      right: curves[way][wrong] };
  };
}

function sentence({ sense, way, wrong, hiss, curves, fractions, right }) {
  const student = STUDENTS[sense], teacher = student === "ear" ? "eye" : "ear";
  const share = Math.round(100 * fractions[wrong]);
  const pairs = wrong === 0 ? "all pairs right" : `${share} % of the pairs wrong, ${way}`;
  return `Noise ${hiss}, ${pairs}: the ${student} is right in ${right.toFixed(1)} %, without a label. Its ` +
    `teacher, an ${teacher}, is right in ${curves.teacher.toFixed(1)} %; 50 labels give ` +
    `${curves["50 labels"].toFixed(1)} %, all labels ${curves["all labels"].toFixed(1)} %.`;
}

// The pairs: a tone that is heard on a click, and below it the image that came with it.
function makePairs(model, hear) {
  const { shape, colours } = imagesOf(model);
  // The one that was heard last has a note.
  let last = null;
  const pairs = colours.map((_, i) => {
    const wave = svg("path", { fill: "none", stroke: INK, "stroke-width": 1 });
    const picture = svg("svg", { viewBox: `0 0 ${WAVE.join(" ")}`, "aria-hidden": "true",
      preserveAspectRatio: "none" }, wave);
    const canvas = html("canvas", { role: "img" });
    const press = button("", () => {
      last = i;
      hear(i);
    });
    const name = html("span", { "aria-hidden": "true" });
    press.append(picture, name);
    return { wave, canvas, press, name, element: html("div", { class: "pair" }, press, canvas) };
  });
  const element = html("div", { class: "pairs" }, ...pairs.map((pair) => pair.element));
  return {
    element,
    draw({ tone, heard, seen, most }) {
      pairs.forEach((pair, i) => {
        const [width, height] = WAVE, values = tone(heard[i]);
        const x = (t) => (t * width / (values.length - 1)).toFixed(1);
        const y = (value) => (height / 2 * (1 - value / most)).toFixed(1);
        setAttributes(pair.wave, { d: `M${values.map((value, t) => `${x(t)} ${y(value)}`).join("L")}` });
        pair.element.classList.toggle("wrong", heard[i] !== seen[i]);
        setText(pair.name, `${i === last ? "♪" : "▶"} ${heard[i]}`);
        setAttributes(pair.press, { "aria-label": `Play tone ${heard[i]}` });
        fillPixels(pair.canvas, shape, colours[seen[i]]);
        setAttributes(pair.canvas, { "aria-label": `beside it an image of ${seen[i]}` });
      });
    },
  };
}

function drawAccuracies({ sense, way, ways, wrong, curves, fractions, right }, box, em) {
  const line = (name) => fractions.map((fraction, i) => [100 * fraction, curves[name][i]]);
  const other = ways.filter((name) => name !== way)
    .map((name) => ({ points: line(name), stroke: "#c4c4c4", "stroke-width": 2 }));
  const levels = [[curves.teacher, "its teacher", TEACHER, "none"], [curves["50 labels"], "50 labels",
    BASELINE, "2 3"], [10, "chance", "#777777", "1 4"]];
  const plot = chart({
    box: { ...box, right: box.right - 5.5 * em },
    em,
    title: `Right on test samples (%): the ${STUDENTS[sense]}`,
    x: { range: [0, 100], ticks: [0, 25, 50, 75, 100], title: "pairs that are wrong (%)" },
    y: { range: [0, 100], ticks: [0, 25, 50, 75, 100] },
    series: [...other, { points: line(way), stroke: STUDENT, "stroke-width": 2.6 }],
    levels: levels.map(([value, name, stroke, dashes]) => ({ value, name, stroke, "stroke-dasharray": dashes,
      "stroke-width": 1.6 })
    ),
    names: true,
  });
  const dot = { cx: plot.x(100 * fractions[wrong]), cy: plot.y(right), r: 6, fill: STUDENT, stroke: "#fff",
    "stroke-width": 2 };
  return [...plot.drawn, svg("circle", dot),
    words(plot.x(100 * fractions[wrong]) + 0.8 * em, plot.y(right) - 0.6 * em, right.toFixed(0), {
      style: `fill: ${STUDENT}`,
    })];
}

function render({ model, el }) {
  return openPanel(el, "kdviz-senses", (root, guarded) => {
    const { change, end } = restingChange(model), look = makeLook(model), sound = player();
    const senses = Object.keys(model.get("curves")), ways = Object.keys(model.get("partners"));
    const fractions = model.get("fractions"), hisses = model.get("hisses");
    const who = chooser("Who teaches", senses.map((sense) => TITLES[sense] ?? sense),
      (index) => change({ sense: senses[index] }));
    const noise = knob("Noise", { min: 0, max: hisses.length - 1 }, (hiss) => change({ hiss }));
    const share = knob("Wrong pairs", { min: 0, max: fractions.length - 1 }, (wrong) => change({ wrong }));
    const which = chooser("What stands in", ways, (index) => change({ way: ways[index] }));
    const last = html("p", { class: "last", "aria-live": "polite" }, "Press a tone to hear it.");
    const hear = guarded((i) => {
      const view = look(), { heard, hiss } = view, hertz = model.get("hertz")[heard[i]];
      sound.play(hertz, hiss);
      pairs.draw(view);
      setText(last, `Tone ${heard[i]}: ${hertz.join(" and ")} hertz, noise ${hiss}, for 0.6 s.`);
    });
    const pairs = makePairs(model, hear);
    const part = axesPicture(HEIGHT, "How often the student is right, by how many pairs are wrong",
      drawAccuracies);
    const readOut = html("p", { class: "read-out", "aria-live": "polite" });
    root.append(html("div", { class: "controls" }, who.element, noise.element, share.element, which.element),
      html("div", { class: "pictures" }, html("div", {}, pairs.element, last), part.element), readOut);
    const after = (view) => {
      who.draw(senses.indexOf(view.sense));
      which.draw(ways.indexOf(view.way));
      noise.show(hisses.indexOf(view.hiss), String(view.hiss));
      share.show(view.wrong, `${Math.round(100 * fractions[view.wrong])} %`);
      pairs.draw(view);
      setText(readOut, sentence(view));
    };
    const drawn = drawnByFrame({ model, traits: TRAITS, root, panel: root, parts: [part], look, guarded,
      after });
    return () => {
      sound.end();
      end();
      drawn.end();
    };
  });
}

export default { render };
