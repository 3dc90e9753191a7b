// The pictures. Each view is made once and has `element` and `draw(state)`; `state` is the page itself, only read.

const CURVES = { width: 390, left: 36, right: 108, accuracy: 214, loss: 134 };

// Accuracy and loss on the test images, step by step.
function curvesView() {
  const accuracy = chart("accuracy on test images (%)", CURVES.accuracy, 100);
  const loss = chart("test loss (nats)", CURVES.loss, 2.5);
  const changes = svg("g", { class: "changes" });
  accuracy.picture.append(changes);
  const caption = html("p", { class: "caption" });
  const teacher = svg("line", { stroke: ADVISER.colour, "stroke-width": 2 });
  const named = words(0, 0, "", { fill: ADVISER.colour });
  accuracy.picture.append(teacher, named);
  return {
    element: card("curves", "While they learn", accuracy.picture, loss.picture, caption),
    draw({ records, teacherAccuracy, changes: changed, start }) {
      const ends = accuracy.draw(records, (record) => record.accuracy, (value) => value.toFixed(1), teacherAccuracy);
      loss.draw(records, (record) => record.loss, (value) => value.toFixed(2));
      setAttributes(teacher, { x1: CURVES.left, x2: CURVES.width - CURVES.right, y1: ends.teacher, y2: ends.teacher });
      setAttributes(named, { x: CURVES.width - CURVES.right + 6, y: ends.name + 4 });
      named.textContent = `teacher ${teacherAccuracy.toFixed(1)}`;
      changes.replaceChildren(...changed.filter(([step]) => step > 0).map((change) => changeMark(accuracy, change)));
      caption.textContent = curvesSentence(records, start.omit);
    },
  };
}

function changeMark({ x, y }, [step, name, value]) {
  const text = `${{ temperature: "T", soft_weight: "weight", learning_rate: "rate" }[name]} ${value}`;
  return svg(
    "g",
    {},
    svg("title", {}, `At step ${step}: ${name} became ${value}`),
    svg("line", { x1: x(step), x2: x(step), y1: y(0), y2: y(100), stroke: INK, "stroke-dasharray": "1 3" }),
    words(x(step) + 3, y(0) - 4, text, { class: "quiet" }),
  );
}

function curvesSentence(records, omitted) {
  const { step, accuracy, loss } = records.at(-1);
  const [hard, soft] = accuracy, gain = shownGain(hard, soft);
  if (step === 0) return "Both start with the same weights, so they answer alike: by chance. Press Play.";
  const [first, second] = loss.map((value) => value.toFixed(2));
  const less = first === second ? `Both losses are ${first} nats` : `The ${STUDENTS[loss[1] < loss[0] ? 1 : 0].name}'s loss is lower`;
  const left = omitted === null ? "" : ` Neither has seen a ${omitted}.`;
  return `After ${step} steps: label-only ${percent(hard)}, distilled ${percent(soft)}: ${signed(gain)} points. ${less}.${left}`;
}

// A picture of two lines over the training steps; its upper end grows with what it has to show.
function chart(title, height, usual) {
  const { width, left, right } = CURVES, floor = height - 34, ceiling = 22;
  const x = scale(0, STEPS, left, width - right);
  const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": title });
  const grid = svg("g");
  const lines = STUDENTS.map(({ colour, dash }) =>
    svg("polyline", { fill: "none", stroke: colour, "stroke-width": 2.5, "stroke-dasharray": dash }),
  );
  const names = STUDENTS.map(({ colour }) => words(width - right + 6, 0, "", { fill: colour }));
  picture.append(words(0, 13, title), grid, ...lines, ...names);
  picture.append(words((left + width - right) / 2, height - 5, "training steps", { "text-anchor": "middle", class: "quiet" }));
  for (const step of [0, 200, 400, STEPS]) {
    picture.append(words(x(step), floor + 16, String(step), { "text-anchor": "middle", class: "quiet" }));
  }
  const made = { picture, x, y: null, top: 0, draw };
  function rescale(top) {
    if (top === made.top) return;
    [made.top, made.y] = [top, scale(0, top, floor, ceiling)];
    const step = [1, 2, 5, 10, 25].find((size) => top / size <= 4) ?? 50;
    const ticks = Array.from({ length: Math.floor(top / step) + 1 }, (_, place) => place * step);
    grid.replaceChildren(
      ...ticks.flatMap((tick) => [
        svg("line", { x1: left, x2: width - right, y1: made.y(tick), y2: made.y(tick), stroke: "#e4e4e4" }),
        words(left - 6, made.y(tick) + 4, String(tick), { "text-anchor": "end", class: "quiet" }),
      ]),
    );
  }
  function draw(records, read, write, teacher) {
    rescale(Math.max(usual, Math.ceil(Math.max(...records.flatMap(read)))));
    const last = read(records.at(-1)), { y } = made;
    lines.forEach((line, which) => {
      const points = records.map((record) => `${x(record.step).toFixed(1)},${y(read(record)[which]).toFixed(1)}`);
      line.setAttribute("points", points.join(" "));
    });
    const marks = [...last, ...(teacher === undefined ? [] : [teacher])].map(y);
    const places = apart(marks, 15, floor);
    names.forEach((name, which) => {
      name.setAttribute("y", places[which] + 4);
      name.textContent = `${STUDENTS[which].short} ${write(last[which])}`;
    });
    return { teacher: marks[2], name: places[2] };
  }
  return made;
}

// Places for names beside their marks, none nearer to the next than `room`, none below `floor`.
function apart(marks, room, floor) {
  const order = [...marks.keys()].sort((a, b) => marks[a] - marks[b]);
  const places = [...marks];
  for (let i = 1; i < order.length; i++) {
    places[order[i]] = Math.max(places[order[i]], places[order[i - 1]] + room);
  }
  let limit = floor;
  for (const which of order.reverse()) {
    places[which] = Math.min(places[which], limit);
    limit = places[which] - room;
  }
  return places;
}

// Teacher and both students on one image, at the temperature that is set.
function softTargetsView() {
  const width = 300, height = 268, left = 26, row = 24;
  const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img" });
  const x = scale(0, 1, left, width - 8);
  const everyone = [STUDENTS[0], STUDENTS[1], ADVISER];
  const bars = Array.from({ length: CLASSES }, (_, label) => {
    picture.append(words(left - 8, 34 + label * row, String(label), { "text-anchor": "end" }));
    return everyone.map(({ fill }, who) => {
      const bar = svg("rect", { x: left, y: 20 + label * row + ((who + 1) % 3) * 6.6, height: 6, fill }, svg("title"));
      picture.append(bar);
      return bar;
    });
  });
  const title = words(0, 13, "");
  const frame = svg("rect", { x: 3, width: left - 4, height: row - 3, fill: "none", stroke: INK, "stroke-width": 1.5, rx: 3 });
  picture.append(title, frame);
  const digit = html("canvas", { class: "digit", role: "img" });
  const told = html("p", { class: "caption" });
  return {
    element: card("soft-targets", "What they say about one image", html("div", { class: "beside" }, digit, picture), told),
    draw({ image, teacher, nets, settings }) {
      paintTiles(digit, 1, 1, (_, pixel) => image.grey[pixel] * 15.9, 1, 0);
      digit.setAttribute("aria-label", image.name);
      title.textContent = `probability of each digit, T = ${settings.temperature}`;
      const logits = [...nets, teacher].map((net) => answers(net, image.inputs, 0, 1));
      const said = logits.map((values) => softmax(values, 0, settings.temperature));
      bars.forEach((group, label) => {
        group.forEach((bar, who) => {
          bar.setAttribute("width", Math.max(0, x(said[who][label]) - left).toFixed(1));
          bar.firstChild.textContent = `${everyone[who].name}, digit ${label}: ${percent(100 * said[who][label])}`;
        });
      });
      setAttributes(frame, { y: 19 + (image.label ?? -9) * row });
      picture.setAttribute("aria-label", `${title.textContent}; longer bars are more probable`);
      told.textContent = softSentence(image, logits);
    },
  };
}

function softSentence(image, logits) {
  const said = (values) => {
    const p = softmax(values, 0, 1), first = best(p, 0);
    return `${first} (${percent(100 * p[first], 0)})`;
  };
  const [hard, soft, teacher] = logits.map(said);
  const runnerUp = best(Float64Array.from(logits[2], (v, c) => (c === best(logits[2], 0) ? -Infinity : v)), 0);
  return (
    `${image.name}. At T = 1 the teacher says ${teacher}, and after that ${runnerUp}; ` +
    `the label-only student ${hard}, the distilled student ${soft}.`
  );
}

// The share of each digit's test images that each gets right.
function classesView() {
  const width = 390, height = 206, left = 36, floor = 166;
  const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": "Percent right for each digit" });
  const y = scale(0, 100, floor, 24), wide = (width - left) / CLASSES;
  picture.append(words(0, 13, "test images right (%)"));
  for (const tick of [0, 50, 100]) {
    picture.append(svg("line", { x1: left, x2: width, y1: y(tick), y2: y(tick), stroke: "#e4e4e4" }));
    picture.append(words(left - 6, y(tick) + 4, String(tick), { "text-anchor": "end", class: "quiet" }));
  }
  picture.append(words((left + width) / 2, height - 6, "digit", { "text-anchor": "middle", class: "quiet" }));
  const groups = Array.from({ length: CLASSES }, (_, label) => {
    const at = left + label * wide;
    const bars = STUDENTS.map(({ fill }, who) => svg("rect", { x: at + 3 + who * 14.5, width: 14, fill }, svg("title")));
    const tick = svg("line", { x1: at + 1, x2: at + 33.5, stroke: ADVISER.colour, "stroke-width": 3 }, svg("title"));
    const name = words(at + 17, floor + 18, String(label), { "text-anchor": "middle" });
    picture.append(...bars, tick, name);
    return { bars, tick, name };
  });
  const caption = html("p", { class: "caption" });
  return {
    element: card("classes", "Digit by digit", picture, caption),
    draw({ data, said, teacherSaid, settings }) {
      const recalls = [...said, teacherSaid].map((answers) => groups.map((_, label) => recall(answers, data, label)));
      groups.forEach(({ bars, tick, name }, label) => {
        bars.forEach((bar, who) => {
          const top = y(recalls[who][label]);
          setAttributes(bar, { y: top.toFixed(1), height: (floor - top).toFixed(1) });
          bar.firstChild.textContent = `${STUDENTS[who].name}, digit ${label}: ${percent(recalls[who][label])}`;
        });
        setAttributes(tick, { y1: y(recalls[2][label]), y2: y(recalls[2][label]) });
        tick.firstChild.textContent = `teacher, digit ${label}: ${percent(recalls[2][label])}`;
        name.setAttribute("class", label === settings.omit ? "left-out" : "");
        name.textContent = label === settings.omit ? `no ${label}` : String(label);
      });
      caption.textContent = classesSentence(recalls, settings.omit);
    },
  };
}

function classesSentence([hard, soft], omitted) {
  const gains = soft.map((value, label) => value - hard[label]);
  if (gains.every((gain) => gain === 0)) return "The two students are right on the same share of every digit.";
  const [most, least] = [best(gains, 0), best(gains.map((gain) => -gain), 0)];
  const end = gains[least] < 0 ? `, the label-only student most on ${least} (${signed(-gains[least])})` : "";
  const left = omitted === null ? "" : ` On the ${omitted}s that no student saw: ${percent(hard[omitted])} and ${percent(soft[omitted])}.`;
  return `The distilled student is ahead most on ${most} (${signed(gains[most])} points)${end}.${left}`;
}

const COLUMNS = 12, ROWS = 2, SHOWN = COLUMNS * ROWS;

// Images that only one of the two gets right, and some of each digit to point at.
function imagesView(choose) {
  const strips = [
    strip("Only the label-only student is right", STUDENTS[0].colour, choose),
    strip("Only the distilled student is right", STUDENTS[1].colour, choose),
    strip("Two of each digit", INK, choose),
  ];
  return {
    element: card(
      "images",
      "Images: point at one",
      ...strips.map(({ element }) => element),
      html("p", { class: "caption" }, "Point at an image, or choose one with the arrow keys, to see what they say about it."),
    ),
    draw({ data, said, image }) {
      const truth = data.truth.subarray(data.train), places = [...truth.keys()];
      const right = said.map((answers) => places.filter((n) => answers[n] === truth[n]));
      const sets = right.map((mine) => new Set(mine));
      const fixed = Array.from({ length: CLASSES }, (_, label) => places.filter((n) => truth[n] === label).slice(0, 2));
      strips[0].show(data, right[0].filter((n) => !sets[1].has(n)), image.place);
      strips[1].show(data, right[1].filter((n) => !sets[0].has(n)), image.place);
      strips[2].show(data, fixed.flat(), image.place);
    },
  };
}

function strip(title, colour, choose) {
  const canvas = html("canvas", { tabindex: 0, role: "application", "aria-label": `${title}. Arrow keys choose an image.` });
  const heading = html("p", { class: "strip-title", style: `border-color: ${colour}` });
  let places = [];
  const pick = (event) => {
    const box = canvas.getBoundingClientRect();
    const column = Math.floor(((event.clientX - box.left) / box.width) * COLUMNS);
    const line = Math.floor(((event.clientY - box.top) / box.height) * ROWS);
    const chosen = places[line * COLUMNS + column];
    if (chosen !== undefined) choose(chosen);
  };
  canvas.addEventListener("pointermove", pick);
  canvas.addEventListener("pointerdown", pick);
  let at = 0;
  canvas.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -COLUMNS, ArrowDown: COLUMNS }[event.key];
    if (!move || !places.length) return;
    event.preventDefault();
    event.stopPropagation();
    at = Math.max(0, Math.min(places.length - 1, at + move));
    choose(places[at], true);
  });
  return {
    element: html("div", { class: "strip" }, heading, canvas),
    show(data, all, chosen) {
      places = all.slice(0, SHOWN);
      if (places.includes(chosen)) at = places.indexOf(chosen);
      const more = all.length > SHOWN ? `; ${SHOWN} are shown` : "";
      heading.textContent = `${title}: ${all.length || "none"}${more}`;
      // Where there is nothing to choose, the Tab key goes on.
      canvas.tabIndex = places.length ? 0 : -1;
      // Of one height, however many there are: what is below stands still.
      const shade = (n, pixel) => {
        const grey = data.grey[(data.train + places[n]) * PIXELS + pixel] * 15.9;
        return places[n] === chosen ? 255 - grey : grey;
      };
      paintTiles(canvas, places.length, COLUMNS, shade, ROWS);
      canvas.style.aspectRatio = `${canvas.width} / ${canvas.height}`;
    },
  };
}

// What the students hear: the shares of their losses, and the labelled images.
function lessonView() {
  const width = 390, left = 82, line = 26;
  const picture = svg("svg", { viewBox: `0 0 ${width} ${2 * line}`, role: "img", "aria-label": "Labels and teacher, as shares of each loss" });
  const x = scale(0, 1, left, width - 1);
  const rows = STUDENTS.map(({ short, colour }, who) => {
    const at = { y: 3 + who * line, height: line - 6 };
    const labels = svg("rect", { ...at, x: left, fill: "#fff", stroke: INK }), teacher = svg("rect", { ...at, fill: ADVISER.fill });
    const said = [words(left + 8, at.y + 15, "labels"), words(width - 8, at.y + 15, "teacher", { "text-anchor": "end", fill: "#fff" })];
    picture.append(words(0, at.y + 15, short, { fill: colour }), labels, teacher, ...said);
    return { labels, teacher, said };
  });
  const canvas = html("canvas", { role: "img" });
  const heading = html("p", { class: "strip-title", style: `border-color: ${INK}` });
  const caption = html("p", { class: "caption" });
  return {
    element: card("lesson", "What they learn from", picture, html("div", { class: "strip still" }, heading, canvas), caption),
    draw({ data, taught, settings }) {
      rows.forEach(({ labels, teacher, said }, who) => {
        const weight = who === DISTILLED ? settings.soft_weight : 0, edge = x(1 - weight);
        labels.setAttribute("width", (edge - left).toFixed(1));
        setAttributes(teacher, { x: edge.toFixed(1), width: (x(1) - edge).toFixed(1) });
        said.forEach((text, part) => text.setAttribute("opacity", (part ? weight : 1 - weight) > 0.2 ? 1 : 0));
      });
      const shown = taught.few.slice(0, SHOWN), count = taught.few.length;
      heading.textContent = `${count} labelled images${count > SHOWN ? `; ${SHOWN} are shown` : ""}`;
      canvas.setAttribute("aria-label", heading.textContent);
      paintTiles(canvas, shown.length, COLUMNS, (n, pixel) => data.grey[shown[n] * PIXELS + pixel] * 15.9, ROWS);
      caption.textContent = lessonSentence(taught, settings);
    },
  };
}

function lessonSentence({ few, wrong, seen }, { soft_weight, temperature, unlabelled, permuted }) {
  const parts = [];
  if (wrong) parts.push(`${wrong} of the ${few.length} labels are wrong.`);
  if (unlabelled) parts.push(`The distilled student also meets ${seen - few.length} images without a label.`);
  const told = `the teacher's answers (T = ${temperature}${permuted ? ", shuffled" : ""})`;
  const shares = [percent(100 * (1 - soft_weight), 0), percent(100 * soft_weight, 0)];
  parts.push(`In the distilled student's loss, labels weigh ${shares[0]}, ${told} ${shares[1]}.`);
  return parts.join(" ");
}

// The first layer's weights of both students, a picture a unit.
function weightsView() {
  const parts = STUDENTS.map(({ name, colour }) => {
    const canvas = html("canvas", { role: "img", "aria-label": `First-layer weights of the ${name}` });
    const title = html("p", { class: "strip-title", style: `border-color: ${colour}` }, name);
    return { canvas, element: html("div", {}, title, canvas) };
  });
  const caption = html("p", { class: "caption" });
  return {
    element: card("weights", "What their hidden units look for", html("div", { class: "two" }, ...parts.map((p) => p.element)), caption),
    draw({ nets, begun }) {
      const largest = nets.reduce((most, { w1 }) => w1.reduce((m, value) => Math.max(m, Math.abs(value)), most), 0.2);
      nets.forEach(({ w1, hidden }, who) => {
        const shade = (unit, pixel) => 127 + (127 * w1[unit * PIXELS + pixel]) / largest;
        paintTiles(parts[who].canvas, hidden, Math.min(8, hidden), shade);
      });
      const moved = nets.map(({ weights }) => distance(weights, begun));
      caption.textContent =
        `Each picture is one unit: dark where ink speaks for it, light where ink speaks against it. Both began alike; ` +
        `since then the weights moved by ${moved[0].toFixed(1)} (label-only) and ${moved[1].toFixed(1)} (distilled).`;
    },
  };
}

function distance(a, b) {
  return Math.sqrt(a.reduce((sum, value, i) => sum + (value - b[i]) ** 2, 0));
}
