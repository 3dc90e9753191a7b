// Both embeddings in one picture, on a canvas: what stays while the student moves is drawn once, on the ground.

import { html, INK, keepKeys, onArrows, onKeys, setAttributes, STUDENT, TEACHER } from "../kit/elements.js";
import { clamp, decimals, mean, percent } from "../kit/numbers.js";

export const RULE = "#e3e3e3";

function titles(view, [first, second]) {
  if (view.view === "tsne") return ["t-SNE of the teacher: near is alike, no unit", ""];
  return [`teacher’s 1st principal component (${percent(first)} of variance)`, `2nd (${percent(second)})`];
}

export function embedding(model, change) {
  const labels = model.get("labels"), classes = model.get("classes"), count = labels.length;
  const canvas = keepKeys(html("canvas", { tabindex: 0, role: "application" }));
  const ground = html("canvas");
  let grounded = null, sheet = null, names = [], shown = [];

  // What stays while the student moves: axes, the teacher's points, the names of the classes.
  function drawGround(view) {
    const brush = fitted(ground, sheet);
    brush.clearRect(0, 0, sheet.wide, sheet.high);
    drawAxes(brush, sheet, view, titles(view, model.get("variance")[view.teacher_layer]));
    strokeAll(brush, circle, sheet.all(view.teacher), sheet.size, TEACHER, 1.3);
    names = placedNames(classes, labels, sheet.all(view.teacher), sheet.em);
  }

  function drawStudent(view) {
    const places = sheet.all(between(view.student, count, view.playhead)), theirs = sheet.all(view.teacher);
    const brush = canvas.getContext("2d");
    brush.clearRect(0, 0, sheet.wide, sheet.high);
    strokeLines(brush, theirs.map((place, i) => [place, places[i]]), "rgb(90 90 90 / 0.28)", 1);
    brush.drawImage(ground, 0, 0, sheet.wide, sheet.high);
    brush.globalAlpha = 0.85;
    fillAll(brush, diamond, places, 1.25 * sheet.size, STUDENT);
    brush.globalAlpha = 1;
    drawNames(brush, names, sheet.em);
    drawChosen(brush, view, theirs, places, sheet.size);
    shown = [places, theirs];
  }

  steer(canvas, model, change, (place) => nearest(shown, place));
  const key = html("p", { class: "key" });
  key.append(html("span", { class: "who teacher" }, "○ teacher"));
  key.append(html("span", { class: "who student" }, "◆ student"));
  key.append(html("span", {}, "lines join the same image"));
  return {
    element: html("div", { class: "embedding" }, key, canvas),
    draw(view, { em, width }) {
      const high = Math.round(clamp(0.95 * width, 200, 29 * em));
      const wanted = [view.view, view.teacher_layer, view.student_layer, width, em, devicePixelRatio].join();
      if (grounded !== wanted) {
        canvas.style.height = `${high}px`;
        sheet = sheetFor(view.box, count, width, high, em);
        fitted(canvas, sheet);
        drawGround(view);
      }
      grounded = wanted;
      drawStudent(view);
      const chosen = `now ${view.point + 1} of ${count}, class ${classes[labels[view.point]]}`;
      const label = `The images as teacher and student place them. Arrow keys choose an image: ${chosen}`;
      setAttributes(canvas, { "aria-label": label });
    },
  };
}

// A click chooses the image that is nearest, the keys go through them, up and down from class to class.
function steer(canvas, model, change, nearestTo) {
  const labels = model.get("labels"), classes = model.get("classes"), count = labels.length;
  canvas.addEventListener("click", (event) => {
    const point = nearestTo([event.offsetX, event.offsetY]);
    if (point >= 0) change({ point });
  });
  onArrows(canvas, (across, down) => {
    const point = model.get("point");
    if (across) return change({ point: (point + across + count) % count });
    const first = labels.indexOf((labels[point] + down + classes.length) % classes.length);
    change({ point: first < 0 ? point : first });
  });
  onKeys(canvas, { Home: () => change({ point: 0 }), End: () => change({ point: count - 1 }) });
}

// The image at a place, if there is one within 16 pixels.
function nearest(shown, place) {
  let best = -1, least = 16;
  for (const places of shown) {
    places.forEach((other, i) => {
      const away = distance(other, place);
      if (away < least) [best, least] = [i, away];
    });
  }
  return best;
}

// How large everything is: the room around the picture, and how a point of the box becomes a place on it.
function sheetFor([left, bottom, width, height], count, wide, high, em) {
  const room = { left: 2.6 * em, right: 0.8 * em, top: 0.8 * em, bottom: 2.1 * em };
  const unit = Math.min((wide - room.left - room.right) / width, (high - room.top - room.bottom) / height);
  const middle = [(wide + room.left - room.right) / 2, (high + room.top - room.bottom) / 2];
  const x = (value) => middle[0] + (value - left - width / 2) * unit;
  const y = (value) => middle[1] - (value - bottom - height / 2) * unit;
  const all = (points) => Array.from({ length: count }, (_, i) => [x(points[2 * i]), y(points[2 * i + 1])]);
  return { room, wide, high, em, x, y, all, size: clamp(46 / Math.sqrt(count), 1.5, 3) * (em / 14) };
}

// A canvas as large as the sheet on this screen, and its brush, in the sheet's units.
function fitted(canvas, { wide, high }) {
  const ratio = devicePixelRatio || 1,
    size = { width: Math.round(wide * ratio), height: Math.round(high * ratio) };
  if (canvas.width !== size.width || canvas.height !== size.height) Object.assign(canvas, size);
  const brush = canvas.getContext("2d");
  brush.setTransform(ratio, 0, 0, ratio, 0, 0);
  return brush;
}

// Where the student's points are, the playhead being between two snapshots.
function between(student, count, playhead) {
  const before = Math.floor(playhead), fraction = playhead - before;
  const from = student.subarray(2 * count * before, 2 * count * (before + 1));
  if (fraction === 0) return from;
  const to = student.subarray(2 * count * (before + 1), 2 * count * (before + 2));
  return from.map((value, i) => value + fraction * (to[i] - value));
}

function drawAxes(brush, { room, wide, high, em, x, y }, view, [below, beside]) {
  const floor = high - room.bottom;
  Object.assign(brush, { font: `${0.9 * em}px system-ui, sans-serif`, fillStyle: "#555",
    textAlign: "center" });
  brush.fillText(below, (wide + room.left) / 2, high - 0.3 * em, wide - room.left);
  brush.save();
  brush.translate(0.9 * em, floor / 2);
  brush.rotate(-Math.PI / 2);
  brush.fillText(beside, 0, 0);
  brush.restore();
  Object.assign(brush, { strokeStyle: RULE, lineWidth: 1 });
  brush.strokeRect(room.left, 0.5, wide - room.left - 0.5, floor);
  if (view.view !== "pca") return;
  for (const tick of [-1, 0, 1]) {
    strokeLines(brush, [[[x(tick), 0], [x(tick), floor]], [[room.left, y(tick)], [wide, y(tick)]]], RULE, 1);
    brush.textAlign = "center";
    brush.fillText(decimals(tick, 0), x(tick), high - 1.25 * em);
    brush.textAlign = "right";
    brush.fillText(decimals(tick, 0), room.left - 0.25 * em, y(tick) + 0.3 * em);
  }
}

// A class is named where its teacher's points are: at the one nearest to their middle, unless another name
// is there already.
function placedNames(classes, labels, places, em) {
  const placed = [];
  classes.forEach((name, label) => {
    const own = places.filter((_, i) => labels[i] === label);
    if (own.length === 0) return;
    const middle = [0, 1].map((axis) => mean(own.map((place) => place[axis])));
    own.sort((one, other) => distance(one, middle) - distance(other, middle));
    const free = own.find((place) => placed.every((other) => distance(place, other.place) > 1.4 * em));
    placed.push({ name, place: free ?? own[0] });
  });
  return placed;
}

function drawNames(brush, names, em) {
  const letters = { font: `700 ${1.15 * em}px system-ui, sans-serif`, textAlign: "center",
    textBaseline: "middle" };
  const halo = { strokeStyle: "rgb(255 255 255 / 0.9)", lineWidth: 0.35 * em, lineJoin: "round",
    fillStyle: INK };
  Object.assign(brush, letters, halo);
  for (const { name, place } of names) {
    brush.strokeText(name, ...place);
    brush.fillText(name, ...place);
  }
}

// The chosen image in both networks, joined, with a ring around its nearest in each.
function drawChosen(brush, { nearTeacher, nearStudent, point }, theirs, ours, size) {
  strokeAll(brush, circle, nearTeacher.map((row) => theirs[row]), 2.3 * size, TEACHER, 1.8);
  strokeAll(brush, diamond, nearStudent.map((row) => ours[row]), 3 * size, STUDENT, 1.8);
  strokeLines(brush, [[theirs[point], ours[point]]], INK, 2.5);
  for (const [colour, shape, place, by] of [[TEACHER, circle, theirs, 2.2], [STUDENT, diamond, ours, 2.9]]) {
    fillAll(brush, shape, [place[point]], by * size, colour);
    strokeAll(brush, shape, [place[point]], by * size, INK, 2.5);
  }
}

// All of one kind in one path, which is what makes hundreds of them quick.
function strokeAll(brush, shape, places, size, strokeStyle, lineWidth) {
  Object.assign(brush, { strokeStyle, lineWidth });
  brush.beginPath();
  for (const place of places) shape(brush, place, size);
  brush.stroke();
}

function fillAll(brush, shape, places, size, fillStyle) {
  brush.fillStyle = fillStyle;
  brush.beginPath();
  for (const place of places) shape(brush, place, size);
  brush.fill();
}

function strokeLines(brush, lines, strokeStyle, lineWidth) {
  Object.assign(brush, { strokeStyle, lineWidth });
  brush.beginPath();
  for (const [from, to] of lines) {
    brush.moveTo(...from);
    brush.lineTo(...to);
  }
  brush.stroke();
}

function circle(brush, [x, y], size) {
  brush.moveTo(x + size, y);
  brush.arc(x, y, size, 0, 2 * Math.PI);
}

function diamond(brush, [x, y], size) {
  brush.moveTo(x, y - size);
  brush.lineTo(x + size, y);
  brush.lineTo(x, y + size);
  brush.lineTo(x - size, y);
  brush.closePath();
}

function distance([x, y], [u, v]) {
  return Math.hypot(x - u, y - v);
}
