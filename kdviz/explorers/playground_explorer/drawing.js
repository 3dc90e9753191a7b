// What all views draw with: who is who, patterns, and digits as pictures.

import { html, svg } from "../kit/elements.js";

// Who is who, by colour (`kit/tokens.css`) and by line or fill.
export const ADVISER = { name: "teacher", colour: "var(--teacher)", dash: "", fill: "var(--teacher)" };
export const STUDENTS = [
  { name: "label-only student", short: "label-only", colour: "var(--baseline)", dash: "2 4",
    fill: "url(#kdviz-dots)" },
  { name: "distilled student", short: "distilled", colour: "var(--student)", dash: "8 4",
    fill: "url(#kdviz-stripes)" },
];
export const SIDE = 8;

// Fills that a printer and a colour-blind eye tell apart.
export function patterns() {
  const look = { patternUnits: "userSpaceOnUse", width: 5, height: 5 }, [labelOnly, distilled] = STUDENTS;
  const paper = (fill) => svg("rect", { width: 5, height: 5, fill });
  const stripe = svg("rect", { width: 2.4, height: 5, fill: distilled.colour });
  const dot = svg("circle", { cx: 2.5, cy: 2.5, r: 1.5, fill: labelOnly.colour });
  const striped = { id: "kdviz-stripes", ...look, patternTransform: "rotate(45)" };
  return svg(
    "svg",
    { width: 0, height: 0, "aria-hidden": "true", class: "patterns" },
    svg("defs", {}, svg("pattern", striped, paper("var(--student-soft)"), stripe)),
    svg("defs", {}, svg("pattern", { id: "kdviz-dots", ...look }, paper("var(--baseline-soft)"), dot)),
  );
}

// Of a number that is in percent already.
export function percentOf(value, digits = 1) {
  return `${value.toFixed(digits)} %`;
}

// The difference of two percentages as they are shown, so that a reader's own subtraction agrees.
export function shownGain(hard, soft) {
  return Number(soft.toFixed(1)) - Number(hard.toFixed(1));
}

// Paints pictures of 8 × 8 side by side on a canvas; `shade(n, pixel)` is 0 (paper) to 255 (ink).
export function paintTiles(canvas, count, columns, shade, rows = Math.max(1, Math.ceil(count / columns)),
  gap = 1)
{
  const cell = SIDE + gap;
  canvas.width = columns * cell;
  canvas.height = rows * cell;
  const context = canvas.getContext("2d");
  const picture = context.createImageData(canvas.width, canvas.height);
  for (let n = 0; n < count; n++) {
    const left = (n % columns) * cell, top = Math.floor(n / columns) * cell;
    for (let pixel = 0; pixel < SIDE * SIDE; pixel++) {
      const x = left + (pixel % SIDE), y = top + Math.floor(pixel / SIDE);
      const at = 4 * (y * canvas.width + x), value = 255 - shade(n, pixel);
      picture.data.fill(value, at, at + 3);
      picture.data[at + 3] = 255;
    }
  }
  context.putImageData(picture, 0, 0);
}

export function card(name, heading, ...children) {
  return html("section", { class: `card ${name}`, "aria-label": heading }, html("h3", {}, heading),
    ...children);
}
