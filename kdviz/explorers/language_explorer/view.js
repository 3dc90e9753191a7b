// A small language model that learns to say the time: its path, its words, and who it learns them from.
//
// Settings are the only state of the model; the paths that were walked are this view's own, by what made them.

import { button, chooser, html, knob, setText } from "../kit/elements.js";
import { decimals, percent } from "../kit/numbers.js";
import { drawnByFrame, openPanel, restingChange } from "../kit/panel.js";
import { transport } from "../kit/player.js";
import { unpack } from "../kit/wire.js";
import { random } from "../playground_explorer/engine.js";
import { heard, judge, LanguagePath, netOf, speak, speakerOf, treeOf, worldOf } from "./engine.js";
import { planePicture, stylesPicture, textsList, treePicture } from "./pictures.js";
import { makeTrainer } from "./trainer.js";

const TEXT_TOLD = { data: "true texts", teacher: "the teacher's texts", greedy: "the teacher's greedy texts",
  own: "its own texts" };
const RIVAL = { beta: 0, text: "teacher" };

const ABOUT = [
  "The language says the time of day in three styles; there are 432 right texts, and at every record all of them are " +
  "counted. The teacher is a network with 64 hidden units and 5,006 weights, which learned from true texts and then " +
  "stands still. The student has 10 units and 1,172 weights. A warm student has read 12,800 true texts before; a cold one " +
  "begins with random weights. A path is 600 steps of Adam on 32 texts each, and paths with one seed read of the same " +
  "times of day.",
  "In the plane, right is good and down is good: at the lower right stands the truth. KL(truth ‖ student) grows where the " +
  "student misses what the truth may say; read greedily, where one style is left, it is infinite.",
  "With β the loss is the generalised Jensen-Shannon divergence, divided by β (1 − β), so that it is forward KL at β = 0 " +
  "and reverse KL at β = 1. From the words alone it is cross-entropy. The temperature of the reading changes what the " +
  "student says, and nothing of what it learned; teacher and truth are always shown at T = 1.",
];

function heardTold(beta) {
  if (beta === null) return "the words alone";
  return { 0: "forward KL (β = 0)", 1: "reverse KL (β = 1)" }[beta] ?? `β = ${beta}`;
}

function shortName({ beta, text, start }) {
  const by = beta === null ? "words" : { 0: "forward KL", 1: "reverse KL" }[beta] ?? `β ${beta}`;
  return `${text}, ${by}${start === "cold" ? ", cold" : ""}`;
}

function clockOf([hour, minute]) {
  return `${hour + 1}:${String(minute).padStart(2, "0")}`;
}

// ---- The paths. ----

function keyOf({ beta, text, start, seed }) {
  return `${beta} ${text} ${start} ${seed}`;
}

// Paths by what made them; those that came with the page are finished.
function makePaths(world, finished) {
  const made = new Map(finished.map((given) => [keyOf(given.settings), finishedPath(world, given)]));
  return {
    of(settings) {
      const key = keyOf(settings);
      if (!made.has(key)) {
        made.set(key, Object.assign(new LanguagePath(world, { ...settings }), { name: shortName(settings) }));
      }
      return made.get(key);
    },
    known: (settings) => made.get(keyOf(settings)),
    // The others with the same seed that have begun.
    besides: (path) =>
      [...made.values()].filter((each) =>
        each !== path && each.settings.seed === path.settings.seed && each.records.length > 1
      ),
    forget: (settings) => made.delete(keyOf(settings)),
  };
}

function finishedPath(world, { settings, records, weights }) {
  const { shape: [count, rows], at } = unpack(records);
  const recordOf = ([kl, styles, ...masses]) => ({ kl, styles, masses,
    right: masses.reduce((sum, each) => sum + each, 0) });
  return {
    settings,
    name: shortName(settings),
    step: world.plan.steps,
    done: true,
    net: netOf(world, Float64Array.from(unpack(weights).values)),
    records: Array.from({ length: count },
      (_, n) => Array.from({ length: rows }, (_, row) => recordOf(Array.from(at(n, row))))),
  };
}

// ---- What is told. ----

function sentence({ path, row, T, world }) {
  const { beta, text, start } = path.settings, { right, kl, styles } = path.records.at(-1)[row];
  const begun = path.step === 0
    ? "Press Train. Before the first step"
    : `After ${path.step} of ${world.plan.steps} steps`;
  const missed = Number.isFinite(kl) ? `${kl.toFixed(2)} nats` : "infinite";
  return `${begun} on ${TEXT_TOLD[text]}, hearing ${
    heardTold(beta)
  }, from a ${start} start: read out at T = ${T}, a right ` +
    `text has ${percent(right, 1)}. KL to the truth is ${missed}, and it has ${
      styles.toFixed(1)
    } of three styles.`;
}

// How much of a lead over forward KL is left when both are read greedily.
function sharpness({ path, rival, world }) {
  if (!path.done || !rival?.done || rival === path) return "";
  const lead = (T) => {
    const row = world.readOut.indexOf(T),
      [ours, theirs] = [path, rival].map((each) => each.records.at(-1)[row].right);
    return `${decimals(100 * Math.abs(ours - theirs), 1)} points ${ours < theirs ? "less" : "more"} probable`;
  };
  return `Is it only sharper? Beside forward KL on the teacher's texts a right text is ${
    lead(1)
  } where both are drawn at ` +
    `T = 1, and ${lead(0)} where both are read greedily (T = 0). This is one seed.`;
}

// ---- The page. ----

function makeLook(model, world, paths) {
  const teacher = judge(world.teacher, world)[world.readOut.indexOf(1)],
    voice = speakerOf(world.teacher, world, true);
  return () => {
    const settings = model.get("settings"), T = settings.temperature, time = model.get("time");
    const path = paths.of(settings), student = speakerOf(path.net, world);
    const next = random(time, "five texts");
    const draws = Array.from({ length: 5 }, () => Array.from({ length: world.plan.longest }, next));
    return { settings, world, T, time, path, row: world.readOut.indexOf(T), others: paths.besides(path),
      teacher, rival: paths.known({ ...settings, ...RIVAL }), clock: clockOf(world.times[time]),
      tree: treeOf(world, time, [[voice, 1], [student, T]]),
      texts: draws.map((each) => heard(world, speak(student, world, time, T, each), time)) };
  };
}

function controlsOf(model, stops, change) {
  const set = (values) => change({ settings: { ...model.get("settings"), ...values } });
  const last = (name) => ({ min: 0, max: stops[name].length - 1 });
  const beta = knob("The student hears", last("beta"), (index) => set({ beta: stops.beta[index] }));
  const text = chooser("Whose text", ["the truth", "the teacher", "the teacher, greedy", "the student"],
    (index) => {
      const own = stops.text[index] === "own", heardNow = model.get("settings").beta;
      set({ text: stops.text[index], beta: own ? heardNow ?? 0 : heardNow });
    }, "Who writes");
  const start = chooser("Start", stops.start, (index) => set({ start: stops.start[index] }), "Start");
  const temperature = knob("Read out at", last("temperature"),
    (index) => set({ temperature: stops.temperature[index] }));
  const draw = ({ settings }) => {
    // From its own words alone it would learn to say what it says.
    beta.input.min = settings.text === "own" ? 1 : 0;
    beta.show(stops.beta.indexOf(settings.beta), heardTold(settings.beta));
    text.draw(stops.text.indexOf(settings.text));
    start.draw(stops.start.indexOf(settings.start));
    const { temperature: T } = settings;
    temperature.show(stops.temperature.indexOf(T), T === 0 ? "T = 0, greedy" : `T = ${T}`);
  };
  const parts = [beta, text, start, temperature].map(({ element }) => element);
  return { element: html("div", { class: "controls" }, ...parts), draw, set };
}

function card(title, ...children) {
  return html("section", { class: "card" }, html("h4", {}, title), ...children);
}

function render({ model, el }) {
  return openPanel(el, "kdviz-language", (root, guarded) => {
    const packed = model.get("packed"), world = worldOf(packed), paths = makePaths(world, packed.finished);
    const { change, end } = restingChange(model);
    const current = () => paths.of(model.get("settings"));
    const controls = controlsOf(model, model.get("stops"), change);
    const reset = () => {
      paths.forget(model.get("settings"));
      drawn.schedule();
    };
    const trainer = makeTrainer(current, () => drawn.schedule(), reset);
    const player = transport(trainer, () => trainer.once(), reset);
    const reseed = button("Another seed",
      () => controls.set({ seed: (model.get("settings").seed + 1) % 1_000_000 }));
    const counter = html("output", { class: "counter" });
    const when = knob("Time of day", { min: 0, max: world.times.length - 1 }, (time) => change({ time }));
    const plane = planePicture(), tree = treePicture(), texts = textsList(),
      styles = stylesPicture(world.shares, world.styles);
    const told = html("p", { class: "read-out", "aria-live": "polite" }),
      sharp = html("p", { class: "sharp" });
    root.append(controls.element, html("div", { class: "controls" }, ...player.buttons, reseed, counter),
      html("div", { class: "views" },
        html("div", {}, card("Precision and recall", plane.element),
          card("Styles, over all times", styles.element)),
        html("div", {},
          card("The next word", when.element, tree.element,
            html("p", { class: "caption" },
              "Blue, above: the teacher. Orange, below: the student. Each bar is a word's probability after the words before it; at the right that of the whole text.")),
          card("Five texts of the student", texts.element))), told, sharp,
      html("details", {}, html("summary", {}, "What am I looking at?"),
        ...ABOUT.map((text) => html("p", {}, text))));
    const after = (view) => {
      controls.draw(view);
      texts.draw(view);
      player.draw();
      if (!trainer.playing()) setText(player.buttons[0], view.path.done ? "Train again" : "Train");
      player.buttons[1].disabled = view.path.done;
      when.show(view.time, view.clock);
      setText(counter, `step ${view.path.step} of ${world.plan.steps}, seed ${view.settings.seed}`);
      // Who listens hears where a path begins and where it ends.
      setText(told, trainer.playing() ? "It learns." : sentence(view));
      setText(sharp, trainer.playing() ? "" : sharpness(view));
    };
    const drawn = drawnByFrame({ model, traits: ["settings", "time"], root, panel: root, guarded, after,
      parts: [plane, styles, tree], look: makeLook(model, world, paths) });
    return () => {
      trainer.stop();
      end();
      drawn.end();
    };
  });
}

export default { render };
