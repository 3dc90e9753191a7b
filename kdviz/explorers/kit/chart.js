// Pictures with two axes.
//
// `chart` makes the elements of one, and gives its scales for what is drawn besides. Lengths are in the units
// of the picture, those around letters in `em`, their height.

import { setAttributes, svg, words } from "./elements.js";
import { minus } from "./numbers.js";

const GRID_LINE = "#e3e3e3", STRONG_LINE = "#777";

// A scale from the numbers between `low` and `high` to places in a picture.
export function scale(low, high, from, to, log = false) {
  const along = log ? Math.log : (value) => value;
  const [first, last] = [along(low), along(high)];
  return (value) => from + ((along(value) - first) / (last - first || 1)) * (to - from);
}

// Round numbers from `low` to `high`, at most `most` steps apart.
export function ticksOf(low, high, most = 4, parts = [1, 2, 5]) {
  const size = 10 ** Math.floor(Math.log10((high - low) / most || 1));
  const step = [...parts, 10].map((part) => part * size).find((each) => (high - low) / each <= most) ??
    10 * size;
  const first = Math.ceil(low / step - 1e-9);
  const count = Math.floor(high / step + 1e-9) - first + 1;
  return Array.from({ length: Math.max(count, 0) }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

// Moves marks along an axis until none is nearer to the next than `room`, none beyond `low` and `high`.
export function apart(places, room, low, high) {
  const order = [...places.keys()].sort((a, b) => places[a] - places[b]);
  const moved = [...places];
  let limit = low;
  for (const which of order) {
    moved[which] = Math.max(moved[which], limit);
    limit = moved[which] + room;
  }
  limit = high;
  for (const which of order.reverse()) {
    moved[which] = Math.min(moved[which], limit);
    limit = moved[which] - room;
  }
  return moved;
}

// A line through those points [x, y] that are numbers; `breaks(i)`: none leads to the point i.
export function lineThrough(points, { x, y }, look, breaks = (i) => i === 0) {
  const known = points.filter(([, value]) => Number.isFinite(value));
  const d = known.map(([a, b], i) => `${breaks(i, known) ? "M" : "L"}${x(a).toFixed(1)} ${y(b).toFixed(1)}`);
  return svg("path", { d: d.join(""), fill: "none", "stroke-width": 2, ...look });
}

// A picture with two axes.
//
// box     left, right, top, bottom: where the axes are in the picture
// x, y    range: [low, high]; log; ticks; text(tick); title; strong: the tick whose line is dark;
//         of x also `end`: the title stands at the right end
// series  points: [[x, y], ...]; a look: stroke, dashes and so on; name, for the end of the line where `names`
//         are wanted, and its own look, `named`; dot: [x, y]
// levels  lines at one height: value, look, name
// marks   lines at one place of x: value, look
export function chart(
  { box, x, y, title = "", series = [], levels = [], marks = [], em = 13, names = false },
) {
  const { left, right, top, bottom } = box;
  const place = { x: scale(...x.range, left, right, x.log), y: scale(...y.range, bottom, top, y.log) };
  const drawn = title ? [words(0, em, title)] : [];
  drawn.push(...yAxis(y, place.y, box, em), ...xAxis(x, place.x, box, em));
  for (const { value, ...look } of marks) {
    drawn.push(svg("line", { x1: place.x(value), x2: place.x(value), y1: top, y2: bottom, ...look }));
  }
  for (const { value, name, named, ...look } of levels) drawn.push(gridLine(box, place.y(value), look));
  for (const { points, name, named, dot, breaks, ...look } of series) {
    drawn.push(lineThrough(points, place, look, breaks));
    if (dot) {
      drawn.push(svg("circle", { cx: place.x(dot[0]), cy: place.y(dot[1]), r: 3.5, fill: look.stroke }));
    }
  }
  if (names) drawn.push(...endNames([...series, ...levels], place.y, box, em));
  return { ...place, drawn };
}

function gridLine({ left, right }, y, look) {
  return svg("line", { x1: left, x2: right, y1: y, y2: y, "stroke-width": 2, ...look });
}

function yAxis({ ticks = [], text = minus, strong, title }, y, box, em) {
  const drawn = ticks.flatMap((tick) => [
    gridLine(box, y(tick), { stroke: tick === strong ? STRONG_LINE : GRID_LINE, "stroke-width": 1 }),
    words(box.left - 0.4 * em, y(tick) + 0.33 * em, text(tick), { "text-anchor": "end", class: "quiet" }),
  ]);
  const middle = (box.top + box.bottom) / 2, turn = `rotate(-90 ${0.8 * em} ${middle})`;
  const look = { "text-anchor": "middle", class: "quiet", transform: turn };
  return title ? [...drawn, words(0.8 * em, middle, title, look)] : drawn;
}

function xAxis({ ticks = [], text = minus, title, end, below = 2.4 }, x, { left, right, bottom }, em) {
  const quiet = { "text-anchor": "middle", class: "quiet" };
  const drawn = ticks.map((tick) => words(x(tick), bottom + 1.25 * em, text(tick), quiet));
  if (!title) return drawn;
  const at = end ? right : (left + right) / 2, look = end ? { ...quiet, "text-anchor": "end" } : quiet;
  return [...drawn, words(at, bottom + below * em, title, look)];
}

// The names at the ends of their lines, in their colours and so that none covers another.
function endNames(lines, y, { right, top, bottom }, em) {
  const named = lines.map(({ points, ...line }) => ({
    value: points?.findLast(([, v]) => Number.isFinite(v))?.[1],
    ...line,
  }))
    .filter(({ name, value }) => name && Number.isFinite(value));
  const places = apart(named.map(({ value }) => y(value)), 1.15 * em, top, bottom);
  return named.map(({ name, stroke, named: look = { style: `fill: ${stroke}` } }, i) =>
    words(right + 0.5 * em, places[i] + 0.33 * em, name, look)
  );
}

// A part of a panel (`drawnByFrame`) that leaves room around axes: `drawing` gives its elements, in a box.
export function axesPicture(height, label, drawing) {
  const element = svg("svg", { role: "img", "aria-label": label });
  const draw = (view, { em, width }) => {
    setAttributes(element, { viewBox: `0 0 ${width} ${height}`, height });
    const box = { left: 3.4 * em, right: width - em, top: 2.6 * em, bottom: height - 3 * em };
    element.replaceChildren(...drawing(view, box, em));
  };
  return { element, draw };
}
