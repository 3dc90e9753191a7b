// What all views draw with: elements, scales, patterns, and digits as pictures.

const QUIET = "#555555";
// Who is who, by colour and by line or fill.
const ADVISER = { name: "teacher", colour: TEACHER, dash: "", fill: TEACHER };
const STUDENTS = [
  { name: "label-only student", short: "label-only", colour: BASELINE, dash: "2 4", fill: "url(#kdviz-dots)" },
  { name: "distilled student", short: "distilled", colour: STUDENT, dash: "8 4", fill: "url(#kdviz-stripes)" },
];
const SIDE = 8;

// Fills that a printer and a colour-blind eye tell apart.
function patterns() {
  const look = { patternUnits: "userSpaceOnUse", width: 5, height: 5 };
  const [labelOnly, distilled] = STUDENTS;
  return svg(
    "svg",
    { width: 0, height: 0, "aria-hidden": "true", class: "patterns" },
    svg(
      "defs",
      {},
      svg(
        "pattern",
        { id: "kdviz-stripes", ...look, patternTransform: "rotate(45)" },
        svg("rect", { width: 5, height: 5, fill: "#f6c7a3" }),
        svg("rect", { width: 2.4, height: 5, fill: distilled.colour }),
      ),
      svg(
        "pattern",
        { id: "kdviz-dots", ...look },
        svg("rect", { width: 5, height: 5, fill: "#dcdcdc" }),
        svg("circle", { cx: 2.5, cy: 2.5, r: 1.5, fill: labelOnly.colour }),
      ),
    ),
  );
}

function percent(value, digits = 1) {
  return `${value.toFixed(digits)} %`;
}

// The difference of two percentages as they are shown, so that a reader's own subtraction agrees.
function shownGain(hard, soft) {
  return Number(soft.toFixed(1)) - Number(hard.toFixed(1));
}

// Paints pictures of 8 × 8 side by side on a canvas; `shade(n, pixel)` is 0 (paper) to 255 (ink).
function paintTiles(canvas, count, columns, shade, rows = Math.max(1, Math.ceil(count / columns)), gap = 1) {
  const cell = SIDE + gap;
  canvas.width = columns * cell;
  canvas.height = rows * cell;
  const context = canvas.getContext("2d");
  const picture = context.createImageData(canvas.width, canvas.height);
  for (let n = 0; n < count; n++) {
    const left = (n % columns) * cell, top = Math.floor(n / columns) * cell;
    for (let pixel = 0; pixel < SIDE * SIDE; pixel++) {
      const x = left + (pixel % SIDE), y = top + Math.floor(pixel / SIDE);
      const place = 4 * (y * canvas.width + x), value = 255 - shade(n, pixel);
      picture.data.fill(value, place, place + 3);
      picture.data[place + 3] = 255;
    }
  }
  context.putImageData(picture, 0, 0);
}

function card(name, heading, ...children) {
  return html("section", { class: `card ${name}`, "aria-label": heading }, html("h3", {}, heading), ...children);
}
