// The relation explorer: the similarities of teacher and student for all pairs, and one triple as a triangle.
//
// Mathematics, then the parts of the panel, then `render`. A part makes its elements once and returns
// `{ element, draw }`; `draw(view)` brings them up to date.

import { chooser, headRow, html, keepKeys, onArrows, onKeys, setAttributes, setText, svg,
  words } from "../kit/elements.js";
import { colourKey, grey, imagesOf, pixelPicture, tint } from "../kit/images.js";
import { aClass, clamp, decimals, largestIndex, mean, signed } from "../kit/numbers.js";
import { follow, openPanel, save, traitsOf } from "../kit/panel.js";
import { arrayOf } from "../kit/wire.js";

// ---- Mathematics ----

// Where the pair (i, j) of n images stands among (0, 1), (0, 2), ... (1, 2), ...
export function pairIndex(i, j, n) {
  const [low, high] = i < j ? [i, j] : [j, i];
  return low * n - (low * (low + 1)) / 2 + (high - low - 1);
}

// Half the square up to 1, and the absolute value less one half from there on.
export function huber(difference) {
  const size = Math.abs(difference);
  return size <= 1 ? size ** 2 / 2 : size - 0.5;
}

// The cosine of the angle between two sides, from the lengths of all three; 0 where a side has no length.
export function cosineBetween(side, other, across) {
  if (side === 0 || other === 0) return 0;
  return clamp((side ** 2 + other ** 2 - across ** 2) / (2 * side * other), -1, 1);
}

// The sides AB, BC, CA of the corners' triangle and the cosines at A, B, C.
export function triangle(distance, [a, b, c]) {
  const [ab, bc, ca] = [distance(a, b), distance(b, c), distance(c, a)];
  const cosines = [cosineBetween(ab, ca, bc), cosineBetween(ab, bc, ca), cosineBetween(ca, bc, ab)];
  return { sides: [ab, bc, ca], cosines };
}

// What a triple adds to RKD: the mean over its three sides, and over its three angles.
export function relationTerms(student, teacher) {
  const of = (kind) => mean(student[kind].map((value, i) => huber(value - teacher[kind][i])));
  return { distance: of("sides"), angle: of("cosines") };
}

// A network's numbers as functions of a pair.
function network(cosines, distances, n) {
  return {
    cosine: (i, j) => (i === j ? 1 : cosines[pairIndex(i, j, n)]),
    distance: (i, j) => (i === j ? 0 : distances[pairIndex(i, j, n)]),
  };
}

function gap(student, teacher) {
  return (i, j) => student.cosine(i, j) - teacher.cosine(i, j);
}

// The sums and counts of a function of pairs of different images, for each pair of classes.
function blockSums(value, labels, classes) {
  const empty = () => Array.from({ length: classes }, () => new Float64Array(classes));
  const [sums, counts] = [empty(), empty()];
  labels.forEach((first, i) => {
    for (let j = i + 1; j < labels.length; j++) {
      const [low, high] = [Math.min(first, labels[j]), Math.max(first, labels[j])];
      sums[low][high] += value(i, j);
      counts[low][high] += 1;
    }
  });
  return { sums, counts };
}

function withinAndBetween({ sums, counts }) {
  const totals = { within: [0, 0], between: [0, 0] };
  counts.forEach((row, i) =>
    row.forEach((count, j) => {
      const total = totals[i === j ? "within" : "between"];
      total[0] += sums[i][j];
      total[1] += count;
    })
  );
  return { within: totals.within[0] / totals.within[1], between: totals.between[0] / totals.between[1] };
}

// The two classes between which teacher and student differ most, and by how much.
function furthestBlock(differences) {
  let found = { size: -1 };
  differences.counts.forEach((row, i) =>
    row.forEach((count, j) => {
      const mean = differences.sums[i][j] / count;
      if (count && Math.abs(mean) > found.size) found = { i, j, mean, size: Math.abs(mean) };
    })
  );
  return found;
}

// ---- Formats ----

const LETTERS = ["A", "B", "C"];
const SIDES = ["A–B", "B–C", "C–A"];

// Losses are small numbers, so a thousand times the value is shown, and said to be.
function thousandfold(value) {
  return (1000 * value).toFixed(1000 * value < 9.995 ? 2 : 1);
}

function degrees(cosine) {
  return `${Math.round((Math.acos(cosine) * 180) / Math.PI)}°`;
}

function pixels(x, y, width, height, href) {
  return svg("image", { x, y, width, height, href, preserveAspectRatio: "none", class: "pixels" });
}

// ---- What there is to see ----

// All that never changes, decoded once.
function decode(model) {
  const { labels, classes, students, losses } = traitsOf(model, ["labels", "classes", "students", "losses"]);
  const n = labels.length, cosines = arrayOf(model, "cosines"), distances = arrayOf(model, "distances");
  const networks = Array.from({ length: students.length + 1 },
    (_, k) => network(cosines.at(k), distances.at(k), n));
  const [teacher, ...ours] = networks;
  const lowest = cosines.values.reduce((least, value) => Math.min(least, value), 1);
  let largest = 0;
  for (let i = 0; i < n; i++) {
    for (let j = i + 1; j < n; j++) {
      for (const each of ours) largest = Math.max(largest, Math.abs(gap(each, teacher)(i, j)));
    }
  }
  const images = imagesOf(model).addresses();
  const blocks = networks.map((each) => withinAndBetween(blockSums(each.cosine, labels, classes.length)));
  // Both scales end at a round number, and hold for every student, so that students can be compared.
  const scales = { lowest: Math.floor(lowest * 10 + 1e-6) / 10,
    largest: Math.ceil(largest * 10 - 1e-6) / 10 || 0.1 };
  return { labels, classes, students, n, images, networks, blocks, losses, ...scales };
}

function look(model, known, hovered) {
  const student = model.get("student"), corners = model.get("corners");
  const [teacher, mine] = [known.networks[0], known.networks[student + 1]];
  const pair = hovered ?? corners.slice(0, 2);
  return { student, corners, teacher, mine, name: known.students[student], pair, hovered };
}

// ---- The parts ----

const PLOT = { size: 222, left: 18, full: 240 };

// The pictures of similarities, one for each network, and of their differences: made when first shown.
function painter(known) {
  const made = new Map();
  const shade = (value) => grey((value - known.lowest) / (1 - known.lowest));
  const { n } = known;
  const once = (key, colourOf) => {
    const cell = (place) => colourOf(Math.floor(place / n), place % n);
    if (!made.has(key)) made.set(key, pixelPicture([n, n], cell));
    return made.get(key);
  };
  return {
    similarity: (k) => once(`s${k}`, (i, j) => shade(known.networks[k].cosine(i, j))),
    difference: (k) =>
      once(`d${k}`, (i, j) => tint(gap(known.networks[k], known.networks[0])(i, j) / known.largest)),
  };
}

// Lines between the classes and their names at two sides.
function classFrame(known) {
  const step = PLOT.size / known.n;
  const drawn = [];
  let start = 0;
  for (let end = 1; end <= known.n; end++) {
    if (end < known.n && known.labels[end] === known.labels[start]) continue;
    const middle = ((start + end) / 2) * step;
    const name = known.classes[known.labels[start]];
    drawn.push(words(PLOT.left - 4, middle + 4, name, { "text-anchor": "end" }));
    drawn.push(words(PLOT.left + middle, PLOT.size + 14, name, { "text-anchor": "middle" }));
    if (end < known.n) {
      const at = end * step, far = PLOT.left + PLOT.size;
      drawn.push(svg("line", { x1: PLOT.left, x2: far, y1: at, y2: at, class: "rule" }));
      drawn.push(
        svg("line", { x1: PLOT.left + at, x2: PLOT.left + at, y1: 0, y2: PLOT.size, class: "rule" }),
      );
    }
    start = end;
  }
  return drawn;
}

function ring(x, y, width, height, name) {
  const room = 2;
  const box = { x: x - room, y: y - room, width: width + 2 * room, height: height + 2 * room };
  return [svg("rect", { ...box, class: "halo" }), svg("rect", { ...box, class: name })];
}

function matrix(known, { title, picture, key, focusable }, choosePair, hover) {
  const step = PLOT.size / known.n;
  const head = html("h4");
  const shown = pixels(PLOT.left, 0, PLOT.size, PLOT.size, "");
  const marks = svg("g");
  const frame = svg("g", {}, shown, ...classFrame(known), marks);
  if (focusable) {
    const label = "Pair of images. Arrow keys move the row, A, and the column, B.";
    setAttributes(keepKeys(frame), { tabindex: 0, role: "group", "aria-label": label });
    onArrows(frame, (across, down) => choosePair([down, across], { relative: true }));
  }
  const canvas = svg("svg", { viewBox: `0 0 ${PLOT.full} ${PLOT.full}`, class: "plot" }, frame);
  const cellAt = (event) => {
    const box = canvas.getBoundingClientRect();
    const unit = box.width / PLOT.full;
    const row = Math.floor((event.clientY - box.top) / unit / step);
    const column = Math.floor(((event.clientX - box.left) / unit - PLOT.left) / step);
    const inside = Math.min(row, column) >= 0 && Math.max(row, column) < known.n;
    return inside ? [row, column] : null;
  };
  canvas.addEventListener("pointermove", (event) => hover(cellAt(event)));
  canvas.addEventListener("pointerleave", () => hover(null));
  canvas.addEventListener("click", (event) => {
    const cell = cellAt(event);
    if (cell) choosePair(cell);
  });
  return {
    element: html("div", { class: "matrix" }, head, canvas, key),
    draw(view) {
      head.textContent = title(view);
      setAttributes(shown, { href: picture(view) });
      const [row, column] = view.pair;
      const [x, y] = [PLOT.left + (column + 0.5) * step, (row + 0.5) * step];
      const across = { x1: PLOT.left, x2: PLOT.left + PLOT.size, y1: y, y2: y };
      const down = { x1: x, x2: x, y1: 0, y2: PLOT.size };
      const cross = [across, down].map((line) => svg("line", { ...line, class: "cross" }));
      const [a, b] = view.corners;
      marks.replaceChildren(...(view.hovered ? cross : []),
        ...ring(PLOT.left + b * step, a * step, step, step, "chosen"));
    },
  };
}

function described(known, place) {
  return `${aClass(known.classes[known.labels[place]])} (image ${place + 1})`;
}

// The two images of the cell pointed at or chosen, and what the networks say of them.
function pairPanel(known) {
  const head = html("h4");
  const both = [0, 1].map(() => ({ picture: html("img", { alt: "" }), caption: html("figcaption") }));
  const figures = both.map(({ picture, caption }) => html("figure", {}, picture, caption));
  const values = html("table", { class: "values", "aria-live": "polite" });
  const standing = html("table", { class: "standing" });
  return {
    element: html("div", { class: "pair" }, head, html("div", { class: "two" }, ...figures), values,
      standing),
    draw(view) {
      head.textContent = view.hovered ? "The cell you point at" : "The chosen cell, A and B";
      both.forEach(({ picture, caption }, k) => {
        picture.src = known.images[view.pair[k]];
        const name = aClass(known.classes[known.labels[view.pair[k]]]);
        const letter = view.hovered ? "" : `${LETTERS[k]}: `;
        caption.replaceChildren(`${letter}${name}`, html("br"), `image ${view.pair[k] + 1}`);
      });
      const [ours, theirs] = [view.mine.cosine(...view.pair), view.teacher.cosine(...view.pair)];
      const row = (name, value, kind = "") =>
        html("tr", { class: kind }, html("th", { scope: "row" }, name), html("td", {}, value));
      values.replaceChildren(
        row("cosine, teacher", decimals(theirs, 3), "teacher"),
        row("cosine, student", decimals(ours, 3), "student"),
        row("student − teacher", signed(ours - theirs, 3)),
      );
      standing.replaceChildren(...standingRows(known, view));
    },
  };
}

function standingRows(known, view) {
  const names = ["similarity", "distance", "angle"];
  const heads = ["1000 × loss", "SP", "dist.", "angle"];
  const explained = ["over all images shown", "similarity preserving", "RKD, distances", "RKD, angles"];
  const head = headRow(heads);
  explained.forEach((title, k) => head.children[k].title = title);
  const rows = known.students.map((name, place) => {
    const cells = names.map((kind) => html("td", {}, thousandfold(known.losses[place][kind])));
    const kind = place === view.student ? "current" : "";
    return html("tr", { class: kind }, html("th", { scope: "row", title: name }, name), ...cells);
  });
  return [head, ...rows];
}

// All images, a row for each class; a click or Enter makes one the next corner.
function sheet(known, place, next) {
  const rows = [...new Set(known.labels)];
  const columns = rows.map((label) => known.labels.flatMap((each, i) => (each === label ? [i] : [])));
  const size = Math.min(PLOT.size / rows.length, PLOT.size / Math.max(...columns.map((row) => row.length)));
  const at = known.labels.map((label, i) => {
    const row = rows.indexOf(label);
    return { row, column: columns[row].indexOf(i) };
  });
  // Where there is room, the images of a row stand apart.
  const pitch = Math.min(1.5 * size, PLOT.size / Math.max(...columns.map((row) => row.length)));
  const inner = { width: size - 2, height: size - 2 };
  const box = (i) => ({ x: PLOT.left + at[i].column * pitch, y: at[i].row * size, ...inner });
  const drawn = known.images.map((href, i) => pixels(...Object.values(box(i)), href));
  const names = rows.map((label, row) =>
    words(PLOT.left - 4, (row + 0.5) * size + 4, known.classes[label], { "text-anchor": "end" })
  );
  const marks = svg("g");
  const label =
    "All images, by class. Arrow keys move, Enter makes the image the next corner of the triangle.";
  const frame = keepKeys(
    svg("g", { tabindex: 0, role: "group", "aria-label": label }, ...drawn, ...names, marks),
  );
  const canvas = svg("svg", { viewBox: `0 0 ${PLOT.full} ${PLOT.full}`, class: "plot sheet" }, frame);
  const said = html("p", { class: "next", "aria-live": "polite" });
  let cursor = null;
  let latest = null;
  const draw = (view) => {
    latest = view;
    const parts = view.corners.flatMap((image, k) => {
      const { x, y, width, height } = box(image);
      const letter = words(x + width + 4, y + height - 1, LETTERS[k], { class: "letter" });
      return [...ring(x, y, width, height, "chosen"), letter];
    });
    if (cursor !== null) parts.push(svg("rect", { ...box(cursor), class: "cursor" }));
    marks.replaceChildren(...parts);
    const here = cursor === null ? "" : ` Marked: ${described(known, cursor)}.`;
    said.textContent = `Click an image: it becomes corner ${LETTERS[next()]}.${here}`;
  };
  drawn.forEach((image, i) =>
    image.addEventListener("click", () => {
      cursor = null;
      place(i);
    })
  );
  const marked = () => cursor ?? latest.corners[next()];
  onKeys(frame, { Enter: () => place(marked()), " ": () => place(marked()) });
  onArrows(frame, (across, down) => {
    const row = clamp(at[marked()].row + down, 0, rows.length - 1);
    cursor = columns[row][clamp(at[marked()].column + across, 0, columns[row].length - 1)];
    draw(latest);
  });
  return { element: html("div", { class: "choose" }, html("h4", {}, "All images, by class"), canvas, said),
    draw };
}

// The corners in the plane: A at the origin, B to its right, C above. y grows downwards.
function placed({ sides: [ab, , ca], cosines: [atA] }) {
  return [[0, 0], [ab, 0], [ca * atA, -ca * Math.sqrt(Math.max(0, 1 - atA ** 2))]];
}

function extent(points) {
  const [xs, ys] = [0, 1].map((axis) => points.map((point) => point[axis]));
  const [left, top] = [Math.min(...xs), Math.min(...ys)];
  return { left, top, width: Math.max(...xs) - left, height: Math.max(...ys) - top };
}

// For the images at the corners, and their letters.
const MARGIN = 34;

function trianglePanel(known, who) {
  const head = html("h4");
  const canvas = svg("svg", { viewBox: `0 0 ${PLOT.full} ${PLOT.full}`, class: `plot triangle ${who}`,
    role: "img" });
  return {
    element: html("div", { class: "triangle-panel" }, head, canvas),
    draw(view) {
      const mine = view[`${who}Triangle`];
      head.textContent = who === "teacher" ? "Triangle, teacher" : `Triangle, ${view.name}`;
      const points = placed(mine);
      const { left, top, width, height } = extent(points);
      const middle = [left + width / 2, top + height / 2];
      const at = points.map((point) =>
        point.map((x, axis) => PLOT.full / 2 + (x - middle[axis]) * view.scale)
      );
      canvas.replaceChildren(
        svg("polygon", { points: at.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" "),
          class: "outline" }),
        ...at.map((point, k) => corner(known.images[view.corners[k]], point)),
        ...sideWords(at, mine.sides),
        ...at.map((point, k) => cornerWords(k, point, mine.cosines[k], at)),
      );
      const sides = mine.sides.map((side, k) => `${SIDES[k]} ${side.toFixed(2)}`).join(", ");
      const angles = mine.cosines.map(degrees).join(", ");
      canvas.setAttribute("aria-label", `${head.textContent}: ${sides}; angles ${angles}`);
    },
  };
}

function corner(href, [x, y]) {
  const frame = svg("rect", { x: x - 14, y: y - 14, width: 28, height: 28, class: "photo" });
  return svg("g", {}, frame, pixels(x - 13, y - 13, 26, 26, href));
}

function centre(points) {
  return [0, 1].map((axis) => mean(points.map((point) => point[axis])));
}

// The length of each side beside its middle, away from the third corner.
function sideWords(at, sides) {
  return sides.map((side, k) => {
    const [from, to, third] = [at[k], at[(k + 1) % 3], at[(k + 2) % 3]];
    const [x, y] = centre([from, to]);
    const normal = [-(to[1] - from[1]), to[0] - from[0]];
    const length = Math.hypot(...normal) || 1;
    const away = Math.sign(normal[0] * (x - third[0]) + normal[1] * (y - third[1])) || 1;
    const [dx, dy] = normal.map((part) => (part / length) * away);
    return words(x + 15 * dx, y + 12 * dy + 4, side.toFixed(2), { "text-anchor": "middle", class: "side" });
  });
}

// The letter and the angle of a corner: below the lower two, above the upper one.
function cornerWords(k, [x, y], cosine, at) {
  const upper = y < centre(at)[1];
  const text = `${LETTERS[k]} ${degrees(cosine)}`;
  return words(x, upper ? y - 19 : y + 27, text, { "text-anchor": "middle", class: "angle" });
}

function withTriangles(view) {
  const both = [view.teacher, view.mine].map((each) => triangle(each.distance, view.corners));
  const [teacherTriangle, studentTriangle] = both;
  // One scale for both, so that lengths can be compared across the pictures.
  const room = PLOT.full - 2 * MARGIN;
  const largest = Math.max(...both.map((each) => {
    const { width, height } = extent(placed(each));
    return Math.max(width, height);
  }));
  const terms = relationTerms(studentTriangle, teacherTriangle);
  return { ...view, teacherTriangle, studentTriangle, scale: room / Math.max(largest, 0.1), terms };
}

function termsPanel(known) {
  const table = html("table", { class: "terms" });
  const row = (name, ...cells) =>
    html("tr", {}, html("th", { scope: "row" }, name), ...cells.map((cell) => html("td", {}, cell)));
  const total = (kind, name, value) =>
    html("tr", { class: kind }, html("th", { scope: "row", colspan: 3 }, name),
      html("td", {}, thousandfold(value)));
  return {
    element: html("div", { class: "terms-panel" }, html("h4", {}, "What RKD compares"), table),
    draw(view) {
      const [mine, theirs] = [view.studentTriangle, view.teacherTriangle];
      const losses = known.losses[view.student];
      const head = (name) => headRow([name, "teacher", "student", "1000 h"]);
      const rows = (names, kind) =>
        names.map((name, k) => {
          const [t, s] = [theirs[kind][k], mine[kind][k]];
          return row(name, decimals(t), decimals(s), thousandfold(huber(s - t)));
        });
      table.replaceChildren(
        head("distance"),
        ...rows(SIDES, "sides"),
        total("sum", "distance term: mean", view.terms.distance),
        total("", "mean of all pairs", losses.distance),
        head("cosine"),
        ...rows(LETTERS.map((letter) => `at ${letter}`), "cosines"),
        total("sum", "angle term: mean", view.terms.angle),
        total("", "mean of all triples", losses.angle),
      );
    },
  };
}

// ---- The sentences ----

function wholeSentence(known, view) {
  const [theirs, ours] = [known.blocks[0], known.blocks[view.student + 1]];
  const differences = gap(view.mine, view.teacher);
  const { i, j, mean: most } = furthestBlock(blockSums(differences, known.labels, known.classes.length));
  const [first, second] = [known.classes[i], known.classes[j]];
  const which = i === j ? `two images of ${first}` : `${aClass(first)} and ${aClass(second)}`;
  // A mean of no pairs is none.
  const told = (value) => (Number.isNaN(value) ? "none" : decimals(value));
  const means = (each) => `${told(each.within)} within a class, ${told(each.between)} between classes`;
  return (
    `Mean cosine: teacher ${means(theirs)}; ${view.name} ${means(ours)}. ` +
    `They differ most about ${which}: there the student’s cosine is on average ` +
    `${Math.abs(most).toFixed(2)} ${most < 0 ? "below" : "above"} the teacher’s.`
  );
}

function tripleSentence(known, view) {
  const [a, b, c] = view.corners;
  const name = (place) => aClass(known.classes[known.labels[place]]);
  const named = view.corners.map((place, k) => `${LETTERS[k]} is ${name(place)}`).join(", ");
  if (new Set([a, b, c]).size < 3) return `${named}. Choose three different images to see a triangle.`;
  const k = largestIndex(
    view.studentTriangle.sides.map((side, i) => Math.abs(side - view.teacherTriangle.sides[i])),
  );
  const total = known.losses[view.student].distance;
  const against = view.terms.distance > total ? "above" : "at or below";
  return (
    `${named}. The side that differs most is ${SIDES[k]}: ${view.teacherTriangle.sides[k].toFixed(2)} mean ` +
    `distances for the teacher, ${view.studentTriangle.sides[k].toFixed(2)} for ${view.name}. ` +
    `1000 × the triple’s distance term is ${thousandfold(view.terms.distance)}, ${against} the mean of ` +
    `all pairs, ` +
    `${thousandfold(total)}; 1000 × its angle term is ${thousandfold(view.terms.angle)}.`
  );
}

function sentences(known) {
  const whole = html("p", { class: "whole" }), triple = html("p", { class: "triple" });
  return {
    element: html("div", { class: "sentences", role: "status", "aria-live": "polite" }, whole, triple),
    draw(view) {
      setText(whole, wholeSentence(known, view));
      setText(triple, tripleSentence(known, view));
    },
  };
}

const CAPTION =
  "How to read this: a cell is a pair of images, darker where the network finds them more alike. " +
  "Blue: more alike for the teacher; orange: for the student. Distances are in units of the network’s mean " +
  "distance over all images shown. h(d) is what RKD makes of a difference d: ½ d² up to |d| = 1, beyond it |d| − ½.";

// ---- The panel ----

function render({ model, el }) {
  return openPanel(el, "kdviz-relations", (root, guarded) => assemble(model, root, guarded));
}

function assemble(model, root, guarded) {
  const known = decode(model);
  let hovered = null, next = 2;
  const hover = (cell) => {
    if (String(cell) === String(hovered)) return;
    hovered = cell;
    draw();
  };
  const within = (place) => clamp(place, 0, known.n - 1);
  const choosePair = (cell, { relative = false } = {}) => {
    const [a, b, c] = model.get("corners");
    const [row, column] = relative ? [within(a + cell[0]), within(b + cell[1])] : cell;
    next = 2;
    save(model, "corners", [row, column, c]);
  };
  const place = (image) => {
    const corners = model.get("corners").map((corner, k) => (k === next ? image : corner));
    next = (next + 1) % 3;
    save(model, "corners", corners);
    draw();
  };
  const paint = painter(known);
  const key = (className, low, high) => {
    const made = colourKey(className);
    made.draw(low, high);
    return made.element;
  };
  const greys = () => key("greys", decimals(known.lowest, 1), "1  cosine");
  const end = known.largest.toFixed(1);
  const matrices = [
    { title: () => "Teacher", picture: () => paint.similarity(0), key: greys(), focusable: true },
    { title: (view) => `Student: ${view.name}`, picture: (view) => paint.similarity(view.student + 1),
      key: greys() },
    {
      title: () => "Student − teacher",
      picture: (view) => paint.difference(view.student + 1),
      key: key("ahead", `−${end}`, `+${end}  cosine`),
    },
  ];
  const said = sentences(known);
  const parts = [
    ...matrices.map((what) => matrix(known, what, choosePair, hover)),
    pairPanel(known),
    sheet(known, place, () => next),
    trianglePanel(known, "teacher"),
    trianglePanel(known, "student"),
    termsPanel(known),
  ];
  const controls = chooser("Student", known.students, (student) => save(model, "student", student),
    "Student");
  const pictures = html("div", { class: "pictures" }, ...parts.map((part) => part.element));
  root.append(controls.element, pictures, said.element, html("p", { class: "caption" }, CAPTION));

  const draw = guarded(() => {
    const view = withTriangles(look(model, known, hovered));
    controls.draw(view.student);
    for (const part of [...parts, said]) part.draw(view);
  });
  draw();
  return follow(model, ["student", "corners"], draw);
}

export default { render };
