// The controls: each has a name, asks a question, and steps through the values that there are.

import { html } from "../kit/elements.js";
import { clamp } from "../kit/numbers.js";
import { percentOf } from "./drawing.js";

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

export function makeControl({ name, kind, text, ask }, stops, change) {
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
