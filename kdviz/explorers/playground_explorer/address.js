// The page's state as the part of its address after "#", and back.

import { LIVE, STEPS } from "./engine.js";

export const SETTINGS = [
  "labels",
  "temperature",
  "soft_weight",
  "width",
  "unlabelled",
  "label_noise",
  "early_teacher",
  "omit",
  "permuted",
  "learning_rate",
  "seed",
];

// `settings` are those at step 0; `changes` say what was changed on the way, so that a link replays the run.
export function toAddress({ settings, changes, step, story, image, hide }) {
  const parts = SETTINGS.map((
    name,
  ) => [name, settings[name] === null ? "none" : String(Number(settings[name]))]);
  if (story) parts.push(["story", story]);
  if (step) parts.push(["step", String(step)]);
  if (changes.length) parts.push(["changes", changes.map((change) => change.join("~")).join(";")]);
  if (image !== null) parts.push(["image", String(image)]);
  if (hide.length) parts.push(["hide", hide.join(".")]);
  return new URLSearchParams(parts).toString();
}

// What an address says; `problems` names what cannot be used and is left as in `defaults`.
export function fromAddress(text, defaults, stops) {
  const said = new URLSearchParams(text), settings = { ...defaults }, problems = [];
  for (const name of SETTINGS) {
    if (!said.has(name)) continue;
    const value = readSetting(name, said.get(name), stops);
    if (value === undefined) problems.push(`${name}=${said.get(name)}`);
    else settings[name] = value;
  }
  const step = Number(said.get("step") ?? 0);
  const known = Number.isInteger(step) && step >= 0 && step <= STEPS;
  if (!known) problems.push(`step=${said.get("step")}`);
  return {
    settings,
    problems,
    step: known ? step : 0,
    changes: readChanges(said.get("changes"), stops, problems),
    story: said.get("story"),
    image: said.has("image") ? Number(said.get("image")) : null,
    hide: [...namesIn(said, "hide"), ...(said.has("controls") ? without(namesIn(said, "controls")) : [])],
  };
}

const namesIn = (said, name) => (said.get(name) ?? "").split(".").filter(Boolean);
const without = (controls) => SETTINGS.filter((name) => !controls.includes(name));

function readSetting(name, text, stops) {
  if (name === "seed") return /^\d{1,6}$/.test(text) ? Number(text) : undefined;
  return stops[name].find((stop) => (stop === null ? "none" : String(Number(stop))) === text);
}

function readChanges(text, stops, problems) {
  if (!text) return [];
  return text.split(";").flatMap((part) => {
    const [step, name, value] = part.split("~"),
      read = LIVE.includes(name) ? readSetting(name, value, stops) : undefined;
    if (read !== undefined && /^\d+$/.test(step)) return [[Number(step), name, read]];
    problems.push(`changes=${part}`);
    return [];
  });
}
