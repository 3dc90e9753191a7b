// The alignment explorer: the student's features moving onto the teacher's, layer by layer.
//
// First what is computed, then elements, then the parts of the panel, then `render`. A part is a function
// that makes its elements once and returns `{ element, draw }`; `draw(view)` brings them up to date with a
// view, which `look(model)` computes afresh. The model's traits are the only state. What a reader moves is
// drawn on a canvas, since hundreds of elements would cost frames.

const PLACE_BITS = 10;
const PLAY_SECONDS = 7;
const RULE = "#e3e3e3";
const LIKENESS = [45, 169, 131];

// ---- What was packed by Python ----

// Whole numbers of so many bits each, the highest bit first, in base64.
export function unpack(text, bits) {
  const bytes = atob(text);
  const numbers = new Uint16Array(Math.floor((8 * bytes.length) / bits));
  let held = 0, rest = 0, at = 0;
  for (let i = 0; i < numbers.length; i++) {
    while (held < bits) {
      rest = (rest << 8) | bytes.charCodeAt(at++);
      held += 8;
    }
    held -= bits;
    numbers[i] = rest >>> held;
    rest &= (1 << held) - 1;
  }
  return numbers;
}

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
  const count = model.get("labels").length, near = model.get("near");
  const bits = 32 - Math.clz32(count - 1);

  // The places of `rows` x `count` points, x and y in turn, in the units of the axes.
  function places(text, [left, bottom, width, height]) {
    const most = 2 ** PLACE_BITS - 1;
    const steps = [width / most, height / most], low = [left, bottom];
    return Float32Array.from(unpack(text, PLACE_BITS), (place, i) => low[i % 2] + steps[i % 2] * place);
  }
  const pair = (t, s) => model.get("pairs")[t][s];
  return {
    pair,
    teacher: (view, t, s) => once(`${view} ${t} ${s}`, () => places(pair(t, s)[view].teacher, pair(t, s)[view].box)),
    student(view, run, t, s) {
      const { students, box } = pair(t, s)[view];
      return once(`${view} ${run} ${t} ${s}`, () => places(students[run], box));
    },
    nearTeacher(t, point) {
      const all = once(`near ${t}`, () => unpack(model.get("teacher_near")[t], bits));
      return [...all.subarray(point * near, (point + 1) * near)];
    },
    nearStudent(run, s, snapshot, point) {
      const all = once(`near ${run} ${s}`, () => unpack(model.get("student_near")[run][s], bits));
      const from = (snapshot * count + point) * near;
      return [...all.subarray(from, from + near)];
    },
  };
}

// ---- What there is to see ----

function look(model, store, playhead) {
  const traits = Object.fromEntries(TRAITS.map((name) => [name, model.get(name)]));
  const { run, snapshot, teacher_layer: t, student_layer: s, view, kernel, point } = traits;
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
    names: { run: model.get("runs")[run], teacher: model.get("teacher_layers")[t], student: model.get("student_layers")[s] },
    step: model.get("steps")[snapshot],
  };
}

// Where the student's points are, the playhead being between two snapshots.
function between(student, count, playhead) {
  const before = Math.floor(playhead), share = playhead - before;
  const from = student.subarray(2 * count * before, 2 * count * (before + 1));
  if (share === 0) return from;
  const to = student.subarray(2 * count * (before + 1), 2 * count * (before + 2));
  return from.map((place, i) => place + share * (to[i] - place));
}

function decimals(value, digits = 2) {
  if (value === null) return "–";
  const text = Math.abs(value).toFixed(digits);
  return value < 0 && Number(text) !== 0 ? `−${text}` : text;
}

function percent(share) {
  return `${Math.round(100 * share)} %`;
}

// ---- Elements ----


function chooser(text, options, onChange) {
  const select = dropDown(text, options, onChange);
  return { select, element: html("label", { class: "chooser" }, html("span", {}, text), select) };
}

// ---- The controls ----

function controls(model, player, change) {
  const steps = model.get("steps"), last = steps.length - 1;
  const runs = chooser("Training", model.get("runs").map((name, i) => [i, name]), (i) => change({ run: Number(i) }));
  const views = chooser("View", [["pca", "PCA"], ["tsne", "t-SNE"]], (view) => change({ view }));
  const slider = keepKeys(html("input", { type: "range", min: 0, max: last, step: 1, "aria-label": "Training step" }));
  const goTo = (snapshot) => {
    player.stop();
    change({ snapshot });
  };
  slider.addEventListener("input", () => goTo(Number(slider.value)));
  slider.addEventListener("keydown", (event) => {
    if (event.key !== " ") return;
    event.preventDefault();
    player.toggle();
  });
  const play = button("Play", player.toggle);
  const next = button("Step", () => goTo(model.get("snapshot") === last ? 0 : model.get("snapshot") + 1));
  const reset = button("Reset", () => {
    player.stop();
    change(model.get("defaults"));
  });
  const value = html("b");
  return {
    element: html(
      "div",
      { class: "controls" },
      runs.element,
      views.element,
      html("label", { class: "scrubber" }, html("span", {}, "Step ", value), slider),
      html("div", { class: "buttons" }, play, next, reset),
    ),
    draw(view) {
      runs.select.value = view.run;
      views.select.value = view.view;
      slider.value = view.snapshot;
      setText(value, `${view.step} of ${steps[last]}`);
      slider.setAttribute("aria-valuetext", `training step ${view.step} of ${steps[last]}`);
      setText(play, player.playing() ? "Pause" : "Play");
    },
  };
}

// Moves through the snapshots, and between them.
function makePlayer(model, change) {
  const last = model.get("steps").length - 1;
  const stepwise = matchMedia("(prefers-reduced-motion: reduce)").matches;
  let frame = null, playhead = null;
  function stop() {
    if (frame === null) return;
    cancelAnimationFrame(frame);
    frame = playhead = null;
    change({});
  }
  function start() {
    const from = model.get("snapshot") === last ? 0 : model.get("snapshot");
    let began = null;
    const advance = (now) => {
      began ??= now;
      frame = requestAnimationFrame(advance);
      playhead = Math.min(from + ((now - began) / 1000 / PLAY_SECONDS) * last, last);
      if (stepwise) playhead = Math.floor(playhead);
      const done = playhead === last;
      // While it plays, Python is not told of every frame, only where it stopped.
      change({ snapshot: Math.floor(playhead) }, { save: false });
      if (done) stop();
    };
    frame = requestAnimationFrame(advance);
    change({}, { save: false });
  }
  return {
    stop,
    toggle: () => (frame === null ? start() : stop()),
    playing: () => frame !== null,
    playhead: () => playhead,
  };
}

// ---- The picture of both embeddings ----

const AXES = {
  pca: ([first, second]) => [`teacher’s 1st principal component (${percent(first)} of variance)`, `2nd (${percent(second)})`],
  tsne: () => ["t-SNE of the teacher: near is alike, no unit", ""],
};

function embedding(model, change) {
  const labels = model.get("labels"), classes = model.get("classes");
  const count = labels.length;
  const canvas = keepKeys(html("canvas", { tabindex: 0, role: "application" }));
  const context = canvas.getContext("2d");
  const ground = document.createElement("canvas");
  let grounded = null, scale = null, names = [], shown = null;

  function makeScale([left, bottom, width, height], wide, high, em) {
    const room = { left: 2.6 * em, right: 0.8 * em, top: 0.8 * em, bottom: 2.1 * em };
    const pixels = Math.min((wide - room.left - room.right) / width, (high - room.top - room.bottom) / height);
    const middle = [(wide + room.left - room.right) / 2, (high + room.top - room.bottom) / 2];
    return {
      room,
      pixels,
      size: clamp(46 / Math.sqrt(count), 1.5, 3) * (em / 14),
      x: (value) => middle[0] + (value - left - width / 2) * pixels,
      y: (value) => middle[1] - (value - bottom - height / 2) * pixels,
    };
  }

  function fit(target, wide, high) {
    const ratio = devicePixelRatio || 1;
    if (target.width !== Math.round(wide * ratio) || target.height !== Math.round(high * ratio)) {
      Object.assign(target, { width: Math.round(wide * ratio), height: Math.round(high * ratio) });
    }
    const brush = target.getContext("2d");
    brush.setTransform(ratio, 0, 0, ratio, 0, 0);
    return brush;
  }

  // What stays while the student moves: axes, the teacher's points, the names of the classes.
  function drawGround(view, wide, high, em) {
    const brush = fit(ground, wide, high);
    brush.clearRect(0, 0, wide, high);
    drawAxes(brush, view, wide, high, em);
    brush.strokeStyle = TEACHER;
    brush.lineWidth = 1.3;
    brush.beginPath();
    for (let i = 0; i < count; i++) circle(brush, at(view.teacher, i), scale.size);
    brush.stroke();
    names = placeNames(view, em);
  }

  function drawAxes(brush, view, wide, high, em) {
    const { room, x, y } = scale;
    brush.font = `${0.9 * em}px system-ui, sans-serif`;
    brush.fillStyle = "#555";
    brush.textAlign = "center";
    const titles = AXES[view.view](model.get("variance")[view.teacher_layer]);
    brush.fillText(titles[0], (wide + room.left) / 2, high - 0.3 * em, wide - room.left);
    brush.save();
    brush.translate(0.9 * em, (high - room.bottom) / 2);
    brush.rotate(-Math.PI / 2);
    brush.fillText(titles[1], 0, 0);
    brush.restore();
    brush.strokeStyle = RULE;
    brush.lineWidth = 1;
    brush.strokeRect(room.left, 0.5, wide - room.left - 0.5, high - room.bottom);
    if (view.view !== "pca") return;
    for (const tick of [-1, 0, 1]) {
      brush.beginPath();
      line(brush, [x(tick), 0], [x(tick), high - room.bottom]);
      line(brush, [room.left, y(tick)], [wide, y(tick)]);
      brush.stroke();
      brush.textAlign = "center";
      brush.fillText(decimals(tick, 0), x(tick), high - 1.25 * em);
      brush.textAlign = "right";
      brush.fillText(decimals(tick, 0), room.left - 0.25 * em, y(tick) + 0.3 * em);
    }
  }

  // A class is named where its teacher's points are: at the one nearest to their middle, unless another name
  // is there already.
  function placeNames(view, em) {
    const placed = [];
    classes.forEach((name, label) => {
      const own = [...labels.keys()].filter((i) => labels[i] === label).map((i) => at(view.teacher, i));
      if (own.length === 0) return;
      const middle = [0, 1].map((axis) => own.reduce((sum, place) => sum + place[axis], 0) / own.length);
      own.sort((one, other) => apart(one, middle) - apart(other, middle));
      const free = own.find((place) => placed.every((other) => apart(place, other.place) > 1.4 * em));
      placed.push({ name, place: free ?? own[0] });
    });
    return placed;
  }

  function drawNames(em) {
    context.font = `700 ${1.15 * em}px system-ui, sans-serif`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.lineJoin = "round";
    context.strokeStyle = "rgb(255 255 255 / 0.9)";
    context.fillStyle = INK;
    context.lineWidth = 0.35 * em;
    for (const { name, place } of names) {
      context.strokeText(name, ...place);
      context.fillText(name, ...place);
    }
  }

  function at(places, i) {
    return [scale.x(places[2 * i]), scale.y(places[2 * i + 1])];
  }

  function drawStudent(view, wide, high, em) {
    const places = between(view.student, count, view.playhead);
    context.clearRect(0, 0, wide, high);
    context.strokeStyle = "rgb(90 90 90 / 0.28)";
    context.lineWidth = 1;
    context.beginPath();
    for (let i = 0; i < count; i++) line(context, at(view.teacher, i), at(places, i));
    context.stroke();
    context.drawImage(ground, 0, 0, wide, high);
    context.fillStyle = STUDENT;
    context.globalAlpha = 0.85;
    context.beginPath();
    for (let i = 0; i < count; i++) diamond(context, at(places, i), 1.25 * scale.size);
    context.fill();
    context.globalAlpha = 1;
    drawNames(em);
    drawChosen(view, places);
    shown = [places, view.teacher];
  }

  function drawChosen(view, places) {
    const size = scale.size;
    context.lineWidth = 1.8;
    context.strokeStyle = TEACHER;
    context.beginPath();
    for (const row of view.nearTeacher) circle(context, at(view.teacher, row), 2.3 * size);
    context.stroke();
    context.strokeStyle = STUDENT;
    context.beginPath();
    for (const row of view.nearStudent) diamond(context, at(places, row), 3 * size);
    context.stroke();
    const [theirs, ours] = [at(view.teacher, view.point), at(places, view.point)];
    context.strokeStyle = INK;
    context.lineWidth = 2.5;
    context.beginPath();
    line(context, theirs, ours);
    context.stroke();
    for (const [colour, shape, place, by] of [[TEACHER, circle, theirs, 2.2], [STUDENT, diamond, ours, 2.9]]) {
      context.fillStyle = colour;
      context.beginPath();
      shape(context, place, by * size);
      context.fill();
      context.stroke();
    }
  }

  function nearest([x, y]) {
    let best = -1, least = 16;
    for (const places of shown) {
      for (let i = 0; i < count; i++) {
        const distance = apart(at(places, i), [x, y]);
        if (distance < least) [best, least] = [i, distance];
      }
    }
    return best;
  }

  canvas.addEventListener("click", (event) => {
    const point = nearest([event.offsetX, event.offsetY]);
    if (point >= 0) change({ point });
  });
  canvas.addEventListener("keydown", (event) => {
    const point = model.get("point");
    const otherClass = (way) => {
      const label = (labels[point] + way + classes.length) % classes.length;
      return labels.indexOf(label) < 0 ? point : labels.indexOf(label);
    };
    const targets = {
      ArrowRight: () => (point + 1) % count,
      ArrowLeft: () => (point - 1 + count) % count,
      ArrowDown: () => otherClass(1),
      ArrowUp: () => otherClass(-1),
      Home: () => 0,
      End: () => count - 1,
    };
    if (!(event.key in targets)) return;
    event.preventDefault();
    event.stopPropagation();
    change({ point: targets[event.key]() });
  });

  return {
    element: html(
      "div",
      { class: "embedding" },
      html(
        "p",
        { class: "key" },
        html("span", { class: "who teacher" }, "○ teacher"),
        html("span", { class: "who student" }, "◆ student"),
        html("span", {}, "lines join the same image"),
      ),
      canvas,
    ),
    draw(view, { em, width }) {
      const high = Math.round(clamp(0.95 * width, 200, 29 * em));
      const wanted = [view.view, view.teacher_layer, view.student_layer, width, em, devicePixelRatio].join();
      if (grounded !== wanted) {
        canvas.style.height = `${high}px`;
        fit(canvas, width, high);
        scale = makeScale(view.box, width, high, em);
        drawGround(view, width, high, em);
      }
      grounded = wanted;
      drawStudent(view, width, high, em);
      setAttributes(canvas, {
        "aria-label":
          `The images as teacher and student place them. Arrow keys choose an image: now ${view.point + 1} of ` +
          `${count}, class ${classes[labels[view.point]]}`,
      });
    },
  };
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

function line(brush, from, to) {
  brush.moveTo(...from);
  brush.lineTo(...to);
}

function apart([x, y], [u, v]) {
  return Math.hypot(x - u, y - v);
}

// ---- The map of the layers ----

function layerMap(model, change) {
  const rows = model.get("teacher_layers"), columns = model.get("student_layers");
  const kernels = chooser("CKA", [["linear", "linear"], ["rbf", "RBF"]], (kernel) => change({ kernel }));
  const cells = rows.map((_, t) =>
    columns.map((_, s) => {
      const cell = keepKeys(html("button", { type: "button", role: "radio", class: "cell" }));
      cell.addEventListener("click", () => change({ teacher_layer: t, student_layer: s }));
      cell.addEventListener("keydown", (event) => moveChoice(event, t, s));
      return cell;
    }),
  );

  function moveChoice(event, t, s) {
    const way = { ArrowUp: [1, 0], ArrowDown: [-1, 0], ArrowRight: [0, 1], ArrowLeft: [0, -1] }[event.key];
    if (!way) return;
    event.preventDefault();
    event.stopPropagation();
    const row = clamp(t + way[0], 0, rows.length - 1), column = clamp(s + way[1], 0, columns.length - 1);
    change({ teacher_layer: row, student_layer: column });
    cells[row][column].focus();
  }

  // From input to output goes upwards for the teacher and to the right for the student.
  const lines = rows.flatMap((name, t) => [html("span", { class: "layer" }, name), ...cells[t]].map((part) => [t, part]));
  const ordered = lines.sort(([t], [u]) => u - t).map(([, part]) => part);
  const feet = [
    html("span", { class: "layer who student" }, "student’s →"),
    ...columns.map((name) => html("span", { class: "layer foot" }, name)),
  ];
  const grid = html(
    "div",
    { class: "grid", role: "radiogroup", "aria-label": "CKA of each layer of the teacher with each of the student" },
    ...ordered,
    ...feet,
  );
  grid.style.gridTemplateColumns = `auto repeat(${columns.length}, minmax(0, 1fr))`;
  return {
    element: html(
      "div",
      { class: "map" },
      html("div", { class: "title" }, html("span", { class: "who teacher" }, "teacher’s layer ↑"), kernels.element),
      grid,
    ),
    draw(view) {
      kernels.select.value = view.kernel;
      cells.forEach((row, t) =>
        row.forEach((cell, s) => {
          const value = model.get("pairs")[t][s][view.kernel][view.run][view.snapshot];
          const share = clamp(value ?? 0, 0, 1);
          const chosen = t === view.teacher_layer && s === view.student_layer;
          setText(cell, decimals(value));
          cell.style.background = `rgb(${mix(WHITE, LIKENESS, share).join(", ")})`;
          setAttributes(cell, {
            "aria-checked": chosen,
            // A map of one cell leaves nothing to choose.
            tabindex: chosen && rows.length * columns.length > 1 ? 0 : -1,
            "aria-label": `teacher ${rows[t]}, student ${columns[s]}: CKA ${decimals(value)}`,
          });
        }),
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
  let drawn = null, x = null, y = null;

  function drawFrame(view, width, em) {
    const bottom = 5.9 * em, left = 2.1 * em;
    const longest = Math.max(...runs.map((name) => name.length));
    const right = width - Math.min(0.58 * em * longest + 0.6 * em, 0.42 * width);
    x = (step) => left + (step / steps.at(-1)) * (right - left);
    y = (value) => bottom - clamp(value, 0, 1) * (bottom - 0.8 * em);
    const text = (at, content, more = {}) => svg("text", { x: at[0], y: at[1], ...more }, content);
    const parts = [0, 0.5, 1].flatMap((tick) => [
      svg("line", { x1: left, x2: right, y1: y(tick), y2: y(tick), stroke: RULE }),
      text([left - 0.35 * em, y(tick) + 0.33 * em], String(tick), { "text-anchor": "end", class: "quiet" }),
    ]);
    for (const step of [0, steps.at(-1)]) {
      parts.push(text([x(step), bottom + 1.15 * em], String(step), { "text-anchor": "middle", class: "quiet" }));
    }
    parts.push(text([(left + right) / 2, bottom + 1.15 * em], "step", { "text-anchor": "middle", class: "quiet" }));
    const ends = [];
    // The chosen one last, so that it lies on top.
    const order = [...runs.keys()].sort((a, b) => (a === view.run) - (b === view.run));
    for (const run of order) {
      const mine = run === view.run, values = view.pair[view.kernel][run];
      const known = [...steps.keys()].filter((i) => values[i] !== null);
      const d = known.map((i) => `${x(steps[i]).toFixed(1)} ${y(values[i]).toFixed(1)}`).join("L");
      const look = mine ? { stroke: STUDENT, "stroke-dasharray": "6 3", "stroke-width": 2.2 } : { stroke: "#8a8a8a", "stroke-width": 1.3 };
      parts.push(svg("path", { d: d && `M${d}`, fill: "none", ...look }));
      ends.push({ run, mine, y: y(values.at(-1) ?? 0) });
    }
    // The names at the ends of their lines must not cover one another.
    ends.sort((a, b) => a.y - b.y);
    for (const [i, end] of ends.entries()) if (i) end.y = Math.max(end.y, ends[i - 1].y + 1.1 * em);
    const over = Math.max(0, (ends.at(-1)?.y ?? 0) - bottom);
    for (const end of ends) {
      parts.push(text([right + 0.4 * em, end.y - over + 0.3 * em], runs[end.run], { class: end.mine ? "mine" : "quiet" }));
    }
    frame.replaceChildren(...parts);
    setAttributes(picture, { width, height: bottom + 1.6 * em });
    setAttributes(marker, { y1: 0.8 * em, y2: bottom });
    setAttributes(dot, { r: 0.3 * em });
  }

  return {
    element: html("div", { class: "curves" }, html("p", { class: "title" }, "CKA of the framed cell, all trainings"), picture),
    draw(view, { em, width }) {
      const wanted = [view.run, view.teacher_layer, view.student_layer, view.kernel, width, em].join();
      if (drawn !== wanted) drawFrame(view, width, em);
      drawn = wanted;
      const before = Math.floor(view.playhead), share = view.playhead - before;
      const step = steps[before] + share * ((steps[before + 1] ?? 0) - steps[before] || 0);
      const value = view.pair[view.kernel][view.run][view.snapshot];
      setAttributes(marker, { x1: x(step), x2: x(step) });
      dot.style.display = value === null ? "none" : "";
      setAttributes(dot, { cx: x(view.step), cy: y(value ?? 0) });
      const what = `CKA of ${view.names.teacher} and ${view.names.student}`;
      setAttributes(picture, { "aria-label": `${what} along the training steps. Now: ${decimals(value)}` });
    },
  };
}

// ---- The image chosen and its neighbours ----

function neighbourhood(model) {
  const shape = model.get("image_shape"), images = imagesOf(model);
  const labels = model.get("labels"), classes = model.get("classes"), near = model.get("near");
  const big = html("canvas", { class: "big", role: "img" });
  const truth = html("p"), common = html("p", { class: "quiet" });
  const makeRow = (who) => {
    const name = html("p", { class: `who ${who}` }, `Nearest for the ${who} (rings)`);
    const images = Array.from({ length: near }, () => html("canvas", { role: "img" }));
    return { images, rows: [], element: html("div", { class: `near ${who}` }, name, html("div", { class: "images" }, ...images)) };
  };
  const theirs = makeRow("teacher"), ours = makeRow("student");
  let painted = null;

  function show(row, rows, common) {
    row.images.forEach((canvas, i) => {
      if (row.rows[i] !== rows[i]) fillPixels(canvas, shape, images[rows[i]]);
      canvas.classList.toggle("common", common.includes(rows[i]));
      const also = common.includes(rows[i]) ? ", in both rows" : "";
      setAttributes(canvas, { "aria-label": `class ${classes[labels[rows[i]]]}${also}`, title: classes[labels[rows[i]]] });
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
      fillPixels(big, shape, images[view.point]);
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
    `${decimals(cka)}${since(decimals(first))}. Procrustes leaves a distance of ${decimals(left)} of at most ` +
    `2${since(decimals(began))}. An image has ${percent(overlap)} of its ${near} nearest neighbours in ` +
    `common${since(percent(before))}; by chance it would be ${percent(near / (count - 1))}.`
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
  // Python is told when the reader rests: talking to it at every move would cost frames.
  let resting = null, frame = null;
  const schedule = () => {
    frame ??= requestAnimationFrame(draw);
  };
  const change = guarded((values, { save = true } = {}) => {
    for (const [name, value] of Object.entries(values)) model.set(name, value);
    clearTimeout(resting);
    if (save) resting = setTimeout(() => model.save_changes(), 100);
    schedule();
  });
  const store = archive(model);
  const player = makePlayer(model, change);
  const steering = controls(model, player, change);
  const picture = embedding(model, change);
  const map = layerMap(model, change);
  const along = curves(model);
  const subject = neighbourhood(model);
  const said = reading(model);
  const caption = html("p", { class: "caption" });
  const parts = [steering, picture, map, along, subject, said];
  panel.append(
    steering.element,
    html(
      "div",
      { class: "stage" },
      picture.element,
      html("div", { class: "beside" }, map.element, along.element, subject.element),
    ),
    said.element,
    caption,
  );

  const draw = guarded(() => {
    frame = null;
    if (panel.clientWidth === 0) return;
    const view = look(model, store, player.playhead());
    const em = parseFloat(getComputedStyle(panel).fontSize);
    // All widths are read before anything is written, so the browser lays the page out once a frame.
    const widths = parts.map((part) => part.element.clientWidth);
    parts.forEach((part, i) => part.draw(view, { em, width: widths[i] }));
    setText(caption, CAPTIONS[view.view]);
  });
  const unfollow = follow(model, TRAITS, schedule);
  const observer = new ResizeObserver(schedule);
  observer.observe(root);
  draw();

  return () => {
    player.stop();
    clearTimeout(resting);
    model.save_changes();
    said.stop();
    observer.disconnect();
    cancelAnimationFrame(frame);
    unfollow();
  };
}

export default { render };
