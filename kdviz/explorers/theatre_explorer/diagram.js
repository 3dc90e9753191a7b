// Who teaches whom: a box for each source, a box for the student, an arrow for each term.

import { BASELINE, keepKeys, onArrows, setAttributes, STUDENT, svg, TEACHER,
  words } from "../kit/elements.js";
import { percent } from "../kit/numbers.js";
import { linesOf, meaning, product } from "./moment.js";

export const WIDTH = 440;
const PULSE = "#e69f00", BOX = 94;
const SOURCES = {
  teacher: { stroke: TEACHER, "stroke-dasharray": "" },
  labels: { stroke: BASELINE, "stroke-dasharray": "2 4" },
};

// `choose(name)` hears of the arrow that is pointed at, `move(step)` of the keys.
export function diagram(model, choose, move) {
  const picture = svg("svg", {}), arrows = svg("g", {});
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  let drawn = "", parts = {}, studentWords = null;
  onArrows(arrows, (across, down) => move(across + down));

  function build(terms, stage) {
    const [teacher, student] = model.get("names");
    // Of all stages, so that the page stands still where another one begins.
    const all = model.get("terms"), lines = linesOf(all);
    const slot = Math.max(44, Math.min(72, 180 / all.length));
    const height = Math.max(150, slot * all.length + 26);
    const top = 24 + (height - 26 - slot * terms.length) / 2;
    setAttributes(picture, { viewBox: `0 0 ${WIDTH} ${height}` });
    const boxes = [];
    parts = {};
    let y = top;
    for (const source of ["teacher", "labels"]) {
      const own = terms.filter((term) => term.source === source);
      if (!own.length) continue;
      boxes.push(
        box(2, y + 4, slot * own.length - 8, source === "teacher" ? teacher : "labels", SOURCES[source]),
      );
      for (const term of own) {
        parts[term.name] = arrow(term, y, slot, lines.get(term.name)[0], choose);
        y += slot;
      }
    }
    studentWords = words(0, 0, "", { class: "middle quiet" });
    const look = { stroke: STUDENT, "stroke-dasharray": "8 4" };
    boxes.push(box(WIDTH - BOX - 2, top + 4, slot * terms.length - 8, student, look, studentWords));
    arrows.replaceChildren(...Object.values(parts).map(({ group }) => group));
    if (terms.length > 1) {
      setAttributes(arrows, { tabindex: 0, role: "group",
        "aria-label": "The arrows. Arrow keys choose one." });
      keepKeys(arrows);
    } else arrows.removeAttribute("tabindex");
    const title = words(0, 14, `Who teaches whom${stage}: weight × loss = its part`, { class: "title" });
    picture.replaceChildren(title, ...boxes, arrows, studentWords);
  }

  // A light runs along each arrow, as large as the part that its term has in the loss.
  function pulse(view) {
    if (still.matches) return;
    for (const part of view.parts) {
      const { comet } = parts[part.name];
      if (!comet.animate || !part.part) continue;
      comet.setAttribute("stroke-width", 6 + 8 * part.fraction);
      comet.getAnimations().forEach((old) => old.cancel());
      const end = 2 * BOX + 30 - WIDTH;
      comet.animate([{ strokeDashoffset: 2, opacity: 0.95 }, { strokeDashoffset: end, opacity: 0.95 }], {
        duration: 550,
      });
    }
  }

  function draw(view, chosen) {
    const stage = model.get("stages") > 1 ? `, stage ${view.stage} of ${model.get("stages")}` : "";
    const terms = view.parts.map(({ name, source }) => [name, source]);
    const key = JSON.stringify([terms, model.get("terms").length, model.get("names"), stage]);
    if (key !== drawn) build(view.parts, stage);
    drawn = key;
    for (const part of view.parts) {
      const { group, line, tip, write } = parts[part.name];
      line.setAttribute("stroke-width", (2 + 11 * part.fraction).toFixed(1));
      write(product(part));
      tip.textContent = meaning(part, view);
      group.classList.toggle("chosen", part.name === chosen);
    }
    studentWords.textContent = percent(view.frame.measures.accuracy ?? null, 1).replace("–", "");
  }

  return { picture, draw, pulse };
}

// A name, and below it, where there is one, a number.
function box(x, y, height, text, look, number = null) {
  const lines = text.split(" "), half = 8 * (lines.length - (number ? 0 : 1));
  const name = words(x + BOX / 2, y + height / 2 + 5 - half, "", { class: "middle title" });
  if (number) setAttributes(number, { x: x + BOX / 2, y: y + height / 2 + 5 + half });
  lines.forEach((line, i) => {
    const fit = line.length > 11 ? { textLength: BOX - 8, lengthAdjust: "spacingAndGlyphs" } : {};
    name.append(svg("tspan", { x: x + BOX / 2, dy: i ? 16 : 0, ...fit }, line));
  });
  return svg("g", {},
    svg("rect", { x, y, width: BOX, height, rx: 8, fill: "#fff", "stroke-width": 2.5, ...look }), name);
}

function arrow(term, y, slot, colour, choose) {
  const left = BOX + 6, right = WIDTH - BOX - 8, centre = (left + right) / 2, middle = y + slot / 2;
  const along = { d: `M ${left} ${middle} H ${right - 16}`, fill: "none" };
  const line = svg("path", { ...along, stroke: colour });
  const head = svg("path", { d: `M ${right} ${middle} l -18 -9 v 18 z`, fill: colour });
  const dot = { "stroke-linecap": "round", "stroke-dasharray": "0.1 400", "stroke-dashoffset": 2,
    opacity: 0 };
  const comet = svg("path", { ...along, ...dot, stroke: PULSE });
  const hit = svg("rect", { class: "hit", x: left - 1, y: y + 2, width: right - left + 4, height: slot - 4,
    rx: 6 });
  // Where many arrows leave room for one line only, name and sum share it.
  const tight = slot < 56;
  const title = words(centre, middle - 12, term.title, { class: "middle" });
  const sum = words(centre, middle + 22, "", { class: "middle quiet" });
  const tip = svg("title", {});
  const group = svg("g", { class: "arrow" }, tip, hit, line, head, comet, title, ...(tight ? [] : [sum]));
  const write = (text) => {
    if (tight) title.textContent = `${term.title}: ${text}`;
    else sum.textContent = text;
  };
  // To point at an arrow is enough to be told what it asks for.
  for (const kind of ["click", "pointerenter"]) group.addEventListener(kind, () => choose(term.name));
  return { group, line, comet, tip, write };
}
