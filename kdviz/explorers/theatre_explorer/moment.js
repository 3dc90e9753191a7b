// What the theatre shows at one moment, and how it tells numbers.

import { INK, STUDENT } from "../kit/elements.js";
import { minus, percent } from "../kit/numbers.js";

// The terms of one source differ in lightness and in dashes, not in colour alone.
const LINES = {
  teacher: [["#0072b2", ""], ["#56a5d8", "9 3"], ["#003f63", "3 3"], ["#7aa6c2", "12 3 3 3"]],
  labels: [["#5f5f5f", "2 4"], ["#9a9a9a", "6 4"]],
};
const MEASURES = [[STUDENT, "8 4"], [INK, ""], ["#009e73", "3 3"], ["#cc79a7", "12 3 3 3"], ["#8a6d00",
  "6 2"]];
const FIRST = ["accuracy", "agreement", "CKA"];

export function short(number) {
  if (number === null || number === undefined) return "?";
  if (number === 0) return "0";
  const size = Math.abs(number);
  if (size >= 1e5 || size < 1e-3) return minus(number.toExponential(1));
  return minus(size >= 1 ? number.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 3) : number.toPrecision(3));
}

export const setting = (number) => String(Math.round(number * 1e6) / 1e6);
const isFraction = (name) => /accuracy|agreement/.test(name);
const measured = (name, value) => (isFraction(name) ? percent(value, 1) : short(value));
export const isOver = (model) => !model.get("live") || ["done", "stopped"].includes(model.get("state"));

// The newest record up to a step. Steps, not indices: the frames of a long run are thinned.
export function frameAt(frames, at) {
  return at === null ? frames.length - 1 : Math.max(0, frames.findLastIndex(({ step }) => step <= at));
}

// Of a run in stages: which one took a step. The state before the first step belongs to the first.
export function stageOf(model, step) {
  return Math.max(1, Math.ceil((step * model.get("stages")) / model.get("steps")));
}

// What the page shows: a record, or the newest under the settings of the next step.
export function momentOf(model, at) {
  const frames = model.get("frames"), index = frameAt(frames, at), frame = frames[index];
  const settings = at === null && !isOver(model) ? model.get("settings") : frame.settings;
  const parts = model.get("terms").filter((term) => `${term.name}.weight` in settings).map((term) => {
    const weight = settings[`${term.name}.weight`], value = frame.losses[term.name] ?? null;
    return { ...term, weight, value, part: value === null ? null : weight * value };
  });
  const size = (part) => Math.abs(part.part ?? part.weight);
  const whole = parts.reduce((sum, part) => sum + size(part), 0) || 1;
  for (const part of parts) part.fraction = size(part) / whole;
  const address = Object.keys(settings).find((name) => name.endsWith(".temperature"));
  // The record's own sum, unless a knob has been turned since.
  const turned = Object.keys(settings).some((name) => settings[name] !== frame.settings[name]);
  const total = turned ? parts.reduce((sum, part) => sum + (part.part ?? 0), 0) : frame.total;
  const temperature = address ? settings[address] : 1;
  return { frames, index, frame, stage: stageOf(model, frame.step), settings, parts, total, temperature };
}

// The line of each term: its colour and dashes.
export function linesOf(terms) {
  const seen = { teacher: 0, labels: 0 };
  return new Map(terms.map((term) => {
    const kinds = LINES[term.source];
    return [term.name, kinds[seen[term.source]++ % kinds.length]];
  }));
}

// The measures that the frames hold, each with its line. Accuracy, agreement and CKA look the same in every run.
export function measuresOf(frames) {
  const all = [...new Set(frames.flatMap(({ measures }) => Object.keys(measures)))];
  const free = MEASURES.filter((_, i) => !all.includes(FIRST[i]));
  const others = all.filter((name) => !FIRST.includes(name)).slice(0, free.length);
  const kinds = [...FIRST.map((name, i) => [name, MEASURES[i]]), ...others.map((name, i) => [name, free[i]])];
  return kinds.filter(([name]) => all.includes(name));
}

export function product({ weight, value, part }) {
  return value === null
    ? `weight ${setting(weight)}`
    : `${setting(weight)} × ${short(value)} = ${short(part)}`;
}

// What an arrow is, in words: the loss, what it asks for, its settings and what it comes to.
export function meaning({ name, title, about, weight, value, part, fraction }, { settings }) {
  const others = Object.keys(settings).filter((each) =>
    each.startsWith(`${name}.`) && each !== `${name}.weight`
  );
  const told = others.map((each) =>
    `, ${each.slice(name.length + 1).replaceAll("_", " ")} ${setting(settings[each])}`
  );
  const whole = percent(fraction, 1);
  const now = value === null ? "" : `; loss ${short(value)}, its part ${short(part)}: ${whole} of the whole`;
  const named = about.toLowerCase().startsWith(title) ? "" : `${title}: `;
  return `${named}${about} Weight ${setting(weight)}${told.join("")}${now}.`;
}

export function knobName(model, address) {
  return model.get("knobs").find((knob) => knob.address === address)?.label ?? address;
}

// The record in a sentence: the same numbers as in the pictures.
export function sentence(model, { frame, parts, stage, total }) {
  const stages = model.get("stages") > 1 ? ` (stage ${stage} of ${model.get("stages")})` : "";
  const at = `Step ${frame.step} of ${model.get("steps")}${stages}`;
  const many = frame.students > 1 ? ` (means of ${frame.students} students)` : "";
  const sums = parts.map((part) => `${setting(part.weight)} × ${short(part.value)} (${part.title})`).join(
    " + ",
  );
  const loss = frame.total === null ? "nothing learned yet" : `loss ${short(total)} = ${sums}`;
  const measures = Object.entries(frame.measures).filter(([, value]) => value !== null);
  const seen = measures.map(([name, value]) => `${name.replaceAll("_", " ")} ${measured(name, value)}`).join(
    ", ",
  );
  const mark = model.get("marks").filter(([step]) => step < frame.step).at(-1);
  const change = mark
    ? ` Last change: ${knobName(model, mark[1])} from ${setting(mark[2])} to ${setting(mark[3])} at ` +
      `step ${mark[0]}.`
    : "";
  return `${at}: ${loss}${many}.${seen ? ` Validation: ${seen}.` : ""}${change}`;
}
