// Draw your own digit: strokes become 8 × 8 counts of ink as the data set's own digits did.

import { html, INK, onArrows, onKeys, TEACHER } from "../kit/elements.js";
import { clamp, largestIndex, percent, softmax } from "../kit/numbers.js";
import { card, SIDE } from "./drawing.js";
import { answers, PIXELS } from "./engine.js";

const FINE = 32, BLOCK = FINE / SIDE;
// Of the pen, in dots of the field.
const THIN = 3, THICK = 9;

// `ink`: how much of it an image has on average.
export function drawDigitView(ink, show, tell) {
  const canvas = html("canvas", {
    width: 200,
    height: 200,
    tabindex: 0,
    role: "application",
    "aria-label":
      "Drawing field. Draw with the pointer; or arrow keys move a cursor and Space or Enter sets ink.",
  });
  const clear = html("button", { type: "button", class: "plain" }, "Clear");
  const told = html("p", { class: "caption" });
  let strokes = [], grid = new Uint8Array(PIXELS), cursor = null, byKeys = false;

  const point = (event) => {
    const box = canvas.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    if (byKeys) reset();
    strokes.push([point(event)]);
    changed();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!event.buttons || !strokes.length) return;
    strokes.at(-1).push(point(event));
    changed();
  });
  // What it came to is told when a stroke ends; on the way it only stands there.
  canvas.addEventListener("pointerup", () => tellSoon());
  const byKey = () => {
    if (!byKeys) [byKeys, cursor, strokes] = [true, cursor ?? [3, 1], []];
  };
  const setInk = () => {
    byKey();
    const cell = cursor[1] * SIDE + cursor[0];
    grid[cell] = grid[cell] ? 0 : 16;
    show(grid.slice());
    tellSoon();
    paint();
  };
  onKeys(canvas, { " ": setInk, Enter: setInk });
  onArrows(canvas, (across, down) => {
    byKey();
    cursor = [cursor[0] + across, cursor[1] + down].map((value) => clamp(value, 0, SIDE - 1));
    paint();
  });
  clear.addEventListener("click", () => {
    reset();
    paint();
    show(null);
  });

  // After the next picture, which writes the words.
  function tellSoon() {
    requestAnimationFrame(() => requestAnimationFrame(() => tell(told.textContent)));
  }

  function reset() {
    [strokes, grid, cursor, byKeys] = [[], new Uint8Array(PIXELS), null, false];
  }

  function changed() {
    grid = counted(strokes, ink);
    paint();
    show(grid.slice());
  }

  function paint() {
    const context = canvas.getContext("2d"), size = canvas.width;
    drawField(context, size);
    if (byKeys) drawCells(context, size / SIDE, grid, cursor);
    else inked(context, strokes, ([x, y]) => [x * size, y * size], size * 0.09);
  }

  paint();
  return {
    element: card(
      "draw",
      "Draw your own digit",
      html("div", { class: "beside" }, html("div", {}, canvas, clear), told),
    ),
    draw({ image, nets, teacher }) {
      if (!image.drawn) {
        told.textContent =
          "Draw a digit from 0 to 9 with mouse, finger or arrow keys. All three answer as you draw.";
        return;
      }
      const said = [teacher, ...nets].map((net) => softmax(answers(net, image.inputs, 0, 1)));
      const [first, hard, soft] = said.map((p) => `${largestIndex(p)} (${percent(Math.max(...p))})`);
      told.textContent =
        `The teacher reads ${first}, the label-only student ${hard}, the distilled student ${soft}.`;
    },
  };
}

function drawField(context, size) {
  context.fillStyle = "#fff";
  context.fillRect(0, 0, size, size);
  context.strokeStyle = "#e4e4e4";
  for (let at = size / SIDE; at < size; at += size / SIDE) {
    line(context, [at, 0], [at, size]);
    line(context, [0, at], [size, at]);
  }
}

// What was set by keys, and the cursor.
function drawCells(context, cell, grid, [column, row]) {
  context.fillStyle = INK;
  grid.forEach((dots, n) =>
    dots && context.fillRect((n % SIDE) * cell, Math.floor(n / SIDE) * cell, cell, cell)
  );
  context.lineWidth = 3;
  context.strokeStyle = TEACHER;
  context.strokeRect(column * cell + 1.5, row * cell + 1.5, cell - 3, cell - 3);
  context.lineWidth = 1;
}

function line(context, from, to) {
  context.beginPath();
  context.moveTo(...from);
  context.lineTo(...to);
  context.stroke();
}

function inked(context, strokes, onto, width) {
  context.strokeStyle = INK;
  context.lineWidth = width;
  context.lineCap = context.lineJoin = "round";
  for (const stroke of strokes) {
    context.beginPath();
    context.moveTo(...onto(stroke[0]));
    for (const at of stroke.length > 1 ? stroke : [stroke[0], stroke[0]]) context.lineTo(...onto(at));
    context.stroke();
  }
  context.lineWidth = 1;
}

// The digits of the data set stand nearly upright (their columns move by 0.02 a row) and fill a field of 32 × 32
// in height; each 4 × 4 block counts its inked dots. Their pen was broad: the stroke is made as thick as it
// takes to hold most of the ink that their mean image has. How much, and how upright, was chosen on digits drawn
// by rules (tests/common/drawn_digits.py), others than those of which the share read right is told.
const UPRIGHT = 0.02, INK_SHARE = 0.8;
// No further than this: a 7 leans by what it is.
const LEAN = 0.15;

export function counted(drawn, ink) {
  const strokes = upright(drawn);
  let grid;
  for (let width = THIN; width <= THICK; width += 0.25) {
    grid = countedAt(strokes, width);
    if (grid.reduce((sum, dots) => sum + dots) >= INK_SHARE * ink) break;
  }
  return grid;
}

// Leans the strokes until across and down vary together as little as in the data set: by the moments of their
// parts, each a straight line.
function upright(strokes) {
  const parts = strokes.flatMap((stroke) =>
    stroke.slice(1).map(([x, y], i) => {
      const [u, v] = stroke[i], across = x - u, down = y - v;
      return { x: (x + u) / 2, y: (y + v) / 2, across, down, long: Math.hypot(across, down) };
    })
  );
  const sum = (of) => parts.reduce((total, part) => total + part.long * of(part), 0), long = sum(() => 1);
  const x = sum((part) => part.x) / long, y = sum((part) => part.y) / long;
  const high = sum((part) => (part.y - y) ** 2 + part.down ** 2 / 12);
  const both = sum((part) => (part.x - x) * (part.y - y) + (part.across * part.down) / 12);
  // A dot or a level line has nothing to be put upright.
  if (!(high > 1e-4 * long)) return strokes;
  const lean = clamp(both / high - UPRIGHT, -LEAN, LEAN);
  return strokes.map((stroke) => stroke.map(([u, v]) => [u - lean * (v - y), v]));
}

function countedAt(strokes, width) {
  const points = strokes.flat();
  const [xs, ys] = [0, 1].map((axis) => points.map((point) => point[axis]));
  const box = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const room = FINE - width - 1;
  const zoom = Math.min(room / Math.max(box[3] - box[2], 0.15),
    (room * 0.8) / Math.max(box[1] - box[0], 0.01));
  const onto = ([x, y]) => [
    FINE / 2 + (x - (box[0] + box[1]) / 2) * zoom,
    FINE / 2 + (y - (box[2] + box[3]) / 2) * zoom,
  ];
  const field = html("canvas", { width: FINE, height: FINE });
  const context = field.getContext("2d", { willReadFrequently: true });
  inked(context, strokes, onto, width);
  const dots = context.getImageData(0, 0, FINE, FINE).data;
  const grid = new Uint8Array(PIXELS);
  for (let n = 0; n < FINE * FINE; n++) {
    const block = Math.floor(Math.floor(n / FINE) / BLOCK) * SIDE + Math.floor((n % FINE) / BLOCK);
    grid[block] += dots[4 * n + 3] > 127;
  }
  return grid;
}
