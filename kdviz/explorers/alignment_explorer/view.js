// The alignment explorer: the student's features moving onto the teacher's, layer by layer.
//
// First what is computed, then the parts of the panel, then `render`. A part is a function that makes its
// elements once and returns `{ element, draw }`; `draw(view)` brings them up to date with a view, which
// `look(model)` computes afresh. The model's traits are the only state. What a reader moves is drawn on a
// canvas, since hundreds of elements would cost frames.

import { chart } from "../kit/chart.js";
import { choice, html, INK, keepKeys, onArrows, onKeys, setAttributes, setText, slide, STUDENT,
  svg } from "../kit/elements.js";
import { fillPixels, imagesOf, mix, WHITE } from "../kit/images.js";
import { clamp, decimals, percent } from "../kit/numbers.js";
import { drawnByFrame, openPanel, restingChange, traitsOf } from "../kit/panel.js";
import { makePlayer, transport } from "../kit/player.js";
import { unpack } from "../kit/wire.js";
import { embedding } from "./embedding.js";

const PLAY_SECONDS = 7;
const ALIKE = [45, 169, 131];

// Reads what the model holds, and keeps what was unpacked last: a scrubber asks for the same again and again.
function archive(model) {
  const kept = new Map();
  const once = (key, make) => {
    if (!kept.has(key)) {
      if (kept.size > 24) kept.clear();
      kept.set(key, make());
    }
    return kept.get(key);
  };
  // In the units of the axes.
  const points = (text, [left, bottom, width, height]) => {
    const low = [left, bottom], size = [width, height];
    return Float32Array.from(unpack(text).values, (part, i) => low[i % 2] + size[i % 2] * part);
  };
  const rows = (key, text) => once(key, () => unpack(text));
  const pair = (t, s) => model.get("pairs")[t][s];
  return {
    pair,
    teacher: (view, t, s) =>
      once(`${view} ${t} ${s}`, () => points(pair(t, s)[view].teacher, pair(t, s)[view].box)),
    student(view, run, t, s) {
      const { students, box } = pair(t, s)[view];
      return once(`${view} ${run} ${t} ${s}`, () => points(students[run], box));
    },
    nearTeacher: (t, point) => Array.from(rows(`near ${t}`, model.get("teacher_near")[t]).at(point)),
    nearStudent: (run, s, snapshot, point) =>
      Array.from(rows(`near ${run} ${s}`, model.get("student_near")[run][s]).at(snapshot, point)),
  };
}

// ---- What there is to see ----

function look(model, store, playhead) {
  const traits = traitsOf(model, TRAITS);
  const { run, snapshot, teacher_layer: t, student_layer: s, view, point } = traits;
  const nearTeacher = store.nearTeacher(t, point);
  const nearStudent = store.nearStudent(run, s, snapshot, point);
  return {
    ...traits,
    // While it plays, the points are on their way between two snapshots.
    playhead: playhead ?? snapshot,
    pair: store.pair(t, s),
    box: store.pair(t, s)[view].box,
    teacher: store.teacher(view, t, s),
    student: store.student(view, run, t, s),
    nearTeacher,
    nearStudent,
    common: nearTeacher.filter((row) => nearStudent.includes(row)),
    names: {
      run: model.get("runs")[run],
      teacher: model.get("teacher_layers")[t],
      student: model.get("student_layers")[s],
    },
    step: model.get("steps")[snapshot],
  };
}

// ---- The controls ----

function controls(model, player, change) {
  const steps = model.get("steps"), last = steps.length - 1;
  const runs = choice("Training", model.get("runs").map((name, i) => [i, name]),
    (i) => change({ run: Number(i) }));
  const views = choice("View", [["pca", "PCA"], ["tsne", "t-SNE"]], (view) => change({ view }));
  const goTo = (snapshot) => {
    player.stop();
    change({ snapshot });
  };
  const slider = slide("Training step", { min: 0, max: last }, goTo, html("b"));
  onKeys(slider.input, { " ": player.toggle });
  const next = () => goTo((model.get("snapshot") + 1) % steps.length);
  const bar = transport(player, next, () => change(model.get("defaults")));
  return {
    element: html(
      "div",
      { class: "controls" },
      runs.element,
      views.element,
      html("label", { class: "scrubber" }, html("span", {}, "Step ", slider.output), slider.input),
      html("div", { class: "buttons" }, ...bar.buttons),
    ),
    draw(view) {
      runs.select.value = view.run;
      views.select.value = view.view;
      const told = `${view.step} of ${steps[last]}`;
      slider.show(view.snapshot, told, `training step ${told}`);
      bar.draw();
    },
  };
}

// ---- The map of the layers ----

function layerMap(model, change) {
  const rows = model.get("teacher_layers"), columns = model.get("student_layers");
  const kernels = choice("CKA", [["linear", "linear"], ["rbf", "RBF"]], (kernel) => change({ kernel }));
  const cells = rows.map((_, t) =>
    columns.map((_, s) => {
      const cell = keepKeys(html("button", { type: "button", role: "radio", class: "cell" }));
      cell.addEventListener("click", () => change({ teacher_layer: t, student_layer: s }));
      onArrows(cell, (across, down) => {
        const row = clamp(t - down, 0, rows.length - 1), column = clamp(s + across, 0, columns.length - 1);
        change({ teacher_layer: row, student_layer: column });
        cells[row][column].focus();
      });
      return cell;
    })
  );

  // From input to output goes upwards for the teacher and to the right for the student.
  const lines = rows.flatMap((name, t) =>
    [html("span", { class: "layer" }, name), ...cells[t]].map((part) => [t, part])
  );
  const ordered = lines.sort(([t], [u]) => u - t).map(([, part]) => part);
  const feet = [
    html("span", { class: "layer who student" }, "student’s →"),
    ...columns.map((name) => html("span", { class: "layer foot" }, name)),
  ];
  const grid = html(
    "div",
    { class: "grid", role: "radiogroup",
      "aria-label": "CKA of each layer of the teacher with each of the student" },
    ...ordered,
    ...feet,
  );
  grid.style.gridTemplateColumns = `auto repeat(${columns.length}, minmax(0, 1fr))`;
  return {
    element: html(
      "div",
      { class: "map" },
      html("div", { class: "title" }, html("span", { class: "who teacher" }, "teacher’s layer ↑"),
        kernels.element),
      grid,
    ),
    draw(view) {
      kernels.select.value = view.kernel;
      cells.forEach((row, t) =>
        row.forEach((cell, s) => {
          const value = model.get("pairs")[t][s][view.kernel][view.run][view.snapshot];
          const shade = mix(WHITE, ALIKE, value ?? 0).join(", ");
          const chosen = t === view.teacher_layer && s === view.student_layer;
          setText(cell, decimals(value));
          cell.style.background = `rgb(${shade})`;
          setAttributes(cell, {
            "aria-checked": chosen,
            // A map of one cell leaves nothing to choose.
            tabindex: chosen && rows.length * columns.length > 1 ? 0 : -1,
            "aria-label": `teacher ${rows[t]}, student ${columns[s]}: CKA ${decimals(value)}`,
          });
        })
      );
    },
  };
}

// ---- The CKA along all trainings ----

function curves(model) {
  const steps = model.get("steps"), runs = model.get("runs");
  const picture = svg("svg", { role: "img" });
  const frame = svg("g");
  const marker = svg("line", { stroke: INK });
  const dot = svg("circle", { fill: STUDENT, stroke: "#fff", "stroke-width": 1.5 });
  picture.append(frame, marker, dot);
  let drawn = null, plot = null;

  function drawFrame(view, width, em) {
    const longest = Math.max(...runs.map((name) => name.length)), last = steps.at(-1);
    const room = Math.min(0.58 * em * longest + 0.6 * em, 0.42 * width);
    const box = { left: 2.1 * em, right: width - room, top: 0.8 * em, bottom: 5.9 * em };
    const mine = { named: { class: "mine" }, stroke: STUDENT, "stroke-dasharray": "6 3",
      "stroke-width": 2.2 };
    const other = { named: { class: "quiet" }, stroke: "#8a8a8a", "stroke-width": 1.3 };
    const line = (run) => ({
      name: runs[run],
      points: view.pair[view.kernel][run].map((value,
        i) => [steps[i], value === null ? NaN : clamp(value, 0, 1)]
      ),
      ...(run === view.run ? mine : other),
    });
    // The chosen one last, so that it lies on top.
    const order = [...runs.keys()].sort((a, b) => (a === view.run) - (b === view.run));
    plot = chart({
      box,
      em,
      names: true,
      series: order.map(line),
      x: { range: [0, last], ticks: [0, last], title: "step", below: 1.25 },
      y: { range: [0, 1], ticks: [0, 0.5, 1] },
    });
    frame.replaceChildren(...plot.drawn);
    setAttributes(picture, { width, height: box.bottom + 1.6 * em });
    setAttributes(marker, { y1: box.top, y2: box.bottom });
    setAttributes(dot, { r: 0.3 * em });
  }

  return {
    element: html("div", { class: "curves" },
      html("p", { class: "title" }, "CKA of the framed cell, all trainings"), picture),
    draw(view, { em, width }) {
      const wanted = [view.run, view.teacher_layer, view.student_layer, view.kernel, width, em].join();
      if (drawn !== wanted) drawFrame(view, width, em);
      drawn = wanted;
      const before = Math.floor(view.playhead), fraction = view.playhead - before;
      const step = steps[before] + fraction * ((steps[before + 1] ?? 0) - steps[before] || 0);
      const value = view.pair[view.kernel][view.run][view.snapshot];
      setAttributes(marker, { x1: plot.x(step), x2: plot.x(step) });
      dot.style.display = value === null ? "none" : "";
      setAttributes(dot, { cx: plot.x(view.step), cy: plot.y(clamp(value ?? 0, 0, 1)) });
      const what = `CKA of ${view.names.teacher} and ${view.names.student}`;
      setAttributes(picture, { "aria-label": `${what} along the training steps. Now: ${decimals(value)}` });
    },
  };
}

// ---- The image chosen and its neighbours ----

function neighbourhood(model) {
  const { shape, colours } = imagesOf(model);
  const labels = model.get("labels"), classes = model.get("classes"), near = model.get("near");
  const big = html("canvas", { class: "big", role: "img" });
  const truth = html("p"), common = html("p", { class: "quiet" });
  const makeRow = (who) => {
    const name = html("p", { class: `who ${who}` }, `Nearest for the ${who} (rings)`);
    const images = Array.from({ length: near }, () => html("canvas", { role: "img" }));
    const row = html("div", { class: "images" }, ...images);
    return { images, rows: [], element: html("div", { class: `near ${who}` }, name, row) };
  };
  const theirs = makeRow("teacher"), ours = makeRow("student");
  let painted = null;

  function show(row, rows, common) {
    row.images.forEach((canvas, i) => {
      if (row.rows[i] !== rows[i]) fillPixels(canvas, shape, colours[rows[i]]);
      canvas.classList.toggle("common", common.includes(rows[i]));
      const also = common.includes(rows[i]) ? ", in both rows" : "";
      setAttributes(canvas, { "aria-label": `class ${classes[labels[rows[i]]]}${also}`,
        title: classes[labels[rows[i]]] });
    });
    row.rows = rows;
  }

  return {
    element: html(
      "div",
      { class: "neighbourhood" },
      html("div", { class: "subject" }, big, truth, common),
      html("div", {}, theirs.element, ours.element),
    ),
    draw(view) {
      const wanted = [view.point, ...view.nearTeacher, ...view.nearStudent].join();
      const name = classes[labels[view.point]];
      if (painted === wanted) return;
      painted = wanted;
      fillPixels(big, shape, colours[view.point]);
      setAttributes(big, { "aria-label": `The image chosen; its true class is ${name}` });
      truth.replaceChildren("true class ", html("b", {}, name));
      setText(common, `${view.common.length} of ${near} in both rows, framed`);
      show(theirs, view.nearTeacher, view.common);
      show(ours, view.nearStudent, view.common);
    },
  };
}

// ---- The picture in words ----

export function sentence(view, near, count) {
  const { run, snapshot, kernel, pair, names } = view;
  const [cka, first] = [pair[kernel][run][snapshot], pair[kernel][run][0]];
  const [overlap, before] = [pair.overlaps[run][snapshot], pair.overlaps[run][0]];
  const [left, began] = [pair.distances[run][snapshot], pair.distances[run][0]];
  const when = snapshot === 0 ? "Before training" : `At step ${view.step} of ${names.run}`;
  const since = (text) => (snapshot === 0 ? "" : ` (before training ${text})`);
  return (
    `${when}, the CKA of the teacher’s ${names.teacher} and the student’s ${names.student} is ` +
    `${decimals(cka)}${since(decimals(first))}. Procrustes leaves a distance of ${decimals(left)} of at ` +
    `most 2${since(decimals(began))}. An image has ${percent(overlap)} of its ${near} nearest neighbours ` +
    `in common${since(percent(before))}; by chance it would be ${percent(near / (count - 1))}.`
  );
}

// The words follow every frame for the eye, and are spoken once they have come to rest.
function reading(model) {
  const seen = html("p", { class: "sentence", "aria-hidden": "true" });
  const spoken = html("p", { class: "spoken", role: "status", "aria-live": "polite" });
  let timer = null;
  return {
    element: html("div", {}, seen, spoken),
    draw(view) {
      const text = sentence(view, model.get("near"), model.get("labels").length);
      setText(seen, text);
      clearTimeout(timer);
      timer = setTimeout(setText, 200, spoken, text);
    },
    stop: () => clearTimeout(timer),
  };
}

const CAPTIONS = {
  pca:
    "How to read this: the student’s features are centred, scaled and turned to fit the teacher’s best (Procrustes). " +
    "Both are drawn along the teacher’s two main directions; the unit is its root mean square distance from the " +
    "middle. Shorter lines: more alike. Click an image, or a cell of the map.",
  tsne:
    "How to read this: the map is the teacher’s t-SNE. A student’s point, turned to fit (Procrustes), is put among " +
    "the teacher’s points that it is most like. Trust who is near whom, not sizes and gaps. Click an image, or a " +
    "cell of the map.",
};

// ---- The panel ----

const TRAITS = ["run", "snapshot", "teacher_layer", "student_layer", "view", "kernel", "point"];

function render({ model, el }) {
  return openPanel(el, "kdviz-alignment", (root, guarded) => assemble(model, root, guarded));
}

function assemble(model, root, guarded) {
  const panel = html("div", { class: "panel" });
  root.append(panel);
  const resting = restingChange(model);
  const change = guarded((values, how) => {
    resting.change(values, how);
    drawn.schedule();
  });
  const store = archive(model), last = model.get("steps").length - 1;
  const player = makePlayer({
    last,
    seconds: PLAY_SECONDS,
    now: () => model.get("snapshot"),
    // While it plays, Python is not told of every frame, only where it stopped.
    show: (at) => change({ snapshot: Math.floor(at) }, { save: false }),
    rest: () => change({}),
  });
  const steering = controls(model, player, change), picture = embedding(model, change);
  const map = layerMap(model, change), along = curves(model), subject = neighbourhood(model);
  const told = reading(model), caption = html("p", { class: "caption" });
  const beside = html("div", { class: "beside" }, map.element, along.element, subject.element);
  panel.append(steering.element, html("div", { class: "stage" }, picture.element, beside), told.element,
    caption);
  const drawn = drawnByFrame({
    model,
    traits: TRAITS,
    root,
    panel,
    guarded,
    parts: [steering, picture, map, along, subject, told],
    look: () => look(model, store, player.playhead()),
    after: (view) => setText(caption, CAPTIONS[view.view]),
  });
  return () => {
    player.stop();
    resting.end();
    told.stop();
    drawn.end();
  };
}

export default { render };
