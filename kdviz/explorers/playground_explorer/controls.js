// The controls: each has a name, asks a question, and steps through the values that there are.

import { button, html } from "../kit/elements.js";
import { clamp } from "../kit/numbers.js";
import { percentOf } from "./drawing.js";
import { STEPS } from "./engine.js";

// Steps a second.
export const PACES = { slow: 12, normal: 60, fast: 5000 };
export const STEPS_AT_ONCE = 5;

export const CONTROLS = [
  { name: "labels", kind: "slider", text: "Labelled images", ask: "How few are enough?" },
  { name: "temperature", kind: "slider", text: "Temperature T", ask: "How soft are the teacher's answers?" },
  { name: "soft_weight", kind: "slider", text: "Weight of the teacher",
    ask: "How much does the teacher count beside the labels?" },
  { name: "width", kind: "slider", text: "Student width",
    ask: "How many hidden units do the students have?" },
  { name: "unlabelled", kind: "tick", text: "Unlabelled images too",
    ask: "May the teacher also comment on images without a label?", folded: true },
  { name: "label_noise", kind: "select", text: "Wrong labels",
    ask: "What if labels are wrong, for the teacher too?", folded: true },
  { name: "early_teacher", kind: "tick", text: "Teacher stopped early",
    ask: "What if it is no good teacher yet? (With wrong labels it always stops early.)", folded: true },
  { name: "omit", kind: "select", text: "Digit left out", ask: "What if the students never see one digit?",
    folded: true },
  { name: "permuted", kind: "tick", text: "Permuted dark knowledge",
    ask: "What if the teacher's wrong digits are shuffled?", folded: true },
  { name: "learning_rate", kind: "select", text: "Learning rate", ask: "How large is a step?", folded: true },
  { name: "seed", kind: "number", text: "Seed",
    ask: "Other labelled images, weights and batches: the same story?", folded: true },
];

export function written(name, value) {
  if (name === "labels" && value === 1200) return "all 1200";
  if (name === "label_noise") return percentOf(100 * value, 0);
  if (name === "omit") return value === null ? "none" : String(value);
  if (typeof value === "boolean") return value ? "on" : "off";
  return String(value);
}

// Play, step, reset and speed, quiet beside what leads on; then the settings, the rare ones folded.
export function controlPanel(page, shown) {
  const play = button("Play", () => (page.playing ? page.pause() : page.play()), { title: "Space",
    class: "play plain" });
  const step = button("Step", () => page.stepOn(), { title: `${STEPS_AT_ONCE} batches (right arrow)`,
    class: "plain" });
  const reset = button("Reset", () => page.reset(), { title: "Back to step 0 (R)", class: "plain" });
  const pace = html("select", { "aria-label": "Speed" },
    ...Object.keys(PACES).map((name) => html("option", {}, name)));
  pace.value = page.pace;
  pace.addEventListener("change", () => page.setPace(pace.value));
  const counter = html("span", { class: "counter" });
  const meter = html("progress", { max: STEPS, value: 0, "aria-label": "Training steps done" });
  const transport = html("div", { class: "transport" }, play, step, reset, pace,
    html("div", { class: "count" }, counter, meter));
  const made = CONTROLS.filter(({ name }) => shown(name)).map((control) => ({
    ...control,
    ...makeControl(control, page.stops[control.name], (name, value) => page.change(name, value)),
  }));
  const elements = (folded) => made.filter((one) => Boolean(one.folded) === folded).map((one) => one.element);
  const summary = html("summary", {}), rare = elements(true);
  const more = html("details", { class: "more" }, summary, html("div", { class: "folded" }, ...rare));
  more.hidden = !rare.length;
  return {
    element: html("div", { class: "controls" }, html("div", { class: "main" }, transport, ...elements(false)),
      more),
    show(settings, defaults) {
      for (const one of made) one.show(settings[one.name]);
      const names = CONTROLS.filter(({ name, folded }) =>
        folded && name !== "seed" && settings[name] !== defaults[name]
      ).map((
        { name, text },
      ) => (settings[name] === true ? text : `${text}: ${written(name, settings[name])}`));
      summary.textContent = `More settings${names.length ? ` (${names.join("; ")})` : ""}`;
    },
    draw({ playing, finished, step: done }) {
      play.textContent = playing ? "Pause" : finished ? "Play again" : "Play";
      step.disabled = finished;
      counter.textContent = `step ${done} of ${STEPS}`;
      meter.value = done;
    },
  };
}

function makeControl({ name, kind, text, ask }, stops, change) {
  const value = html("span", { class: "value" });
  const input = { slider, select, tick, number }[kind](name, stops, change);
  input.element.dataset.lmSuppressShortcuts = "true";
  input.element.dataset.control = name;
  input.element.setAttribute("aria-label", text);
  input.element.title = ask;
  const top = html("span", { class: "top" }, html("strong", {}, text), ...(kind === "slider" ? [value] : []));
  const label = html("label", { class: `control ${kind}` }, top, input.element, html("small", {}, ask));
  return {
    element: label,
    show(setting) {
      input.show(setting);
      value.textContent = written(name, setting);
      if (kind === "slider") input.element.setAttribute("aria-valuetext", written(name, setting));
    },
  };
}

function slider(name, stops, change) {
  const element = html("input", { type: "range", min: 0, max: stops.length - 1, step: 1 });
  element.addEventListener("input", () => change(name, stops[Number(element.value)]));
  return { element, show: (value) => (element.value = stops.indexOf(value)) };
}

function select(name, stops, change) {
  const element = html("select", {},
    ...stops.map((stop, i) => html("option", { value: i }, written(name, stop))));
  element.addEventListener("change", () => change(name, stops[Number(element.value)]));
  return { element, show: (value) => (element.value = stops.indexOf(value)) };
}

function tick(name, _stops, change) {
  const element = html("input", { type: "checkbox" });
  element.addEventListener("change", () => change(name, element.checked));
  return { element, show: (value) => (element.checked = value) };
}

function number(name, _stops, change) {
  const element = html("input", { type: "number", min: 0, max: 999999, step: 1 });
  element.addEventListener("change", () => {
    const value = clamp(Math.round(Number(element.value)) || 0, 0, 999999);
    element.value = value;
    change(name, value);
  });
  return { element, show: (value) => (element.value = value) };
}
