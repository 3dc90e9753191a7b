// The attention explorer: maps of teacher and students on one image, their differences, and the losses.
//
// Two kinds of pictures are drawn alike: attention maps, whose cells are places of the image, and flows,
// whose cells are pairs of channels. First what is decoded, then the parts of the panel.
// A part makes its elements once and returns `{ element, draw }`.

import { chooser, headRow, html, keepKeys, markChosen, onArrows, radio, radioGroup, setAttributes, setText,
  svg } from "../kit/elements.js";
import { colourKey, grey, imagePicker, imagesOf, isDark, outline, pixelPicture,
  tint } from "../kit/images.js";
import { aClass, capital, largestIndex, listed, mean, threeDigits } from "../kit/numbers.js";
import { follow, openPanel, save, traitsOf } from "../kit/panel.js";
import { unpack } from "../kit/wire.js";

const FULL = 200;

function difference(value) {
  return value >= 5e-5 ? `+${threeDigits(value)}` : threeDigits(value);
}

// ---- What there is to see ----

function decode(model) {
  const pictures = model.get("pictures").map((each) => ({ ...each, networks: each.networks.map(unpack) }));
  const { shape, colours, addresses } = imagesOf(model);
  return { ...traitsOf(model, ["labels", "classes", "students"]), shape, colours, images: addresses(),
    pictures };
}

function look(model, known, pointed) {
  const [chosen, image] = [model.get("picture"), model.get("image")];
  const picture = known.pictures[chosen];
  const networks = picture.networks.map(({ shape: [, rows, columns], at }) => ({ rows, columns,
    values: at(image) })
  );
  const [teacher, ...ours] = networks;
  const differences = ours.map((mine, k) =>
    picture.losses[k] ? mine.values.map((value, i) => value - teacher.values[i]) : null
  );
  const every = networks.map((each) => each.values);
  const high = Math.max(...every.map((values) => Math.max(...values))) || 1;
  const low = Math.min(0, ...every.map((values) => Math.min(...values)));
  const apart = Math.max(...differences.map((values) => (values ? Math.max(...values.map(Math.abs)) : 0))) ||
    1;
  const first = largestIndex(teacher.values);
  const cell = pointed ?? [Math.floor(first / teacher.columns), first % teacher.columns];
  const label = known.classes[known.labels[image]];
  return { chosen, image, picture, networks, differences, high, low, apart, cell, label };
}

function valueAt(network, [row, column]) {
  return row < network.rows && column < network.columns
    ? network.values[row * network.columns + column]
    : null;
}

// ---- The parts ----

const KINDS = { attention: "Attention maps", flow: "Flow between layers (FSP)" };

function choosers(known, choose) {
  const kinds = Object.keys(KINDS);
  const kindButtons = kinds.map((kind) => radio(KINDS[kind]));
  const kind = radioGroup("What to compare", "chooser", kindButtons,
    (index) => choose(known.pictures.findIndex((picture) => picture.kind === kinds[index])));
  const layer = chooser("Layer", known.pictures.map(({ name }) => name), choose, "Layer");
  return {
    element: html("div", { class: "controls" }, kind, layer.element),
    draw({ picture, chosen }) {
      markChosen(kindButtons, kinds.indexOf(picture.kind));
      layer.draw(chosen);
      layer.buttons.forEach((button, i) => button.hidden = known.pictures[i].kind !== picture.kind);
      // One layer leaves nothing to choose.
      layer.element.hidden = layer.buttons.filter((button) => !button.hidden).length < 2;
    },
  };
}

// How large a cell is: a square where it is a place; channels fill the frame.
function cellSize({ picture }, { rows, columns }) {
  const square = FULL / Math.max(rows, columns);
  return picture.kind === "attention" ? [square, square] : [FULL / columns, FULL / rows];
}

function matrix(known, className, focusable, point) {
  const who = html("span", { class: "who" });
  const head = html("h4", {}, who, ...(className === "gap" ? [html("span", {}, "\u00a0− teacher")] : []));
  const foot = html("p", { class: "under" });
  const shown = svg("image", { class: "pixels", preserveAspectRatio: "none" });
  const border = svg("rect", { class: "border" });
  const ink = svg("path", { class: "ink" });
  const halo = svg("rect", { class: "halo" }), ring = svg("rect", { class: "ring" });
  const frame = svg("g", {}, shown, border, ink, halo, ring);
  const canvas = svg("svg", { viewBox: `-2 -2 ${FULL + 4} ${FULL + 4}` }, frame);
  let size = null, marked = null, cell = null;
  if (focusable) {
    const label = "The cells of the teacher’s picture. Arrow keys move the marked cell.";
    setAttributes(keepKeys(frame), { tabindex: 0, role: "group", "aria-label": label });
    // At the end of a row, a column begins again: every key moves.
    onArrows(frame, (across, down) =>
      point([(marked[0] + down + size.rows) % size.rows,
        (marked[1] + across + size.columns) % size.columns]));
  }
  const pointTo = (event) => {
    const box = canvas.getBoundingClientRect();
    const [column, row] = [event.clientX - box.left, event.clientY - box.top].map((length, axis) =>
      Math.floor(((length / box.width) * (FULL + 4) - 2) / cell[axis])
    );
    if (Math.min(row, column) >= 0 && row < size.rows && column < size.columns) point([row, column]);
  };
  for (const kind of ["pointermove", "click"]) {
    canvas.addEventListener(kind, (event) => size && pointTo(event));
  }

  function outlineOf(image, wide, high) {
    const inside = (pixel) => isDark(known.colours[image](pixel));
    return outline(inside, known.shape, wide / known.shape[1], high / known.shape[0]);
  }

  return {
    element: html("div", { class: `matrix ${className}` }, head, canvas, foot),
    draw(view, { title, network, colourOf, under }) {
      who.textContent = title;
      foot.textContent = under;
      canvas.style.display = network ? "" : "none";
      [size, marked] = [network, view.cell];
      if (!network) return;
      cell = cellSize(view, network);
      const [width, height] = cell, [row, column] = view.cell;
      const box = { x: 0, y: 0, width: width * network.columns, height: height * network.rows };
      const href = pixelPicture([network.rows, network.columns], (place) => colourOf(network.values[place]));
      setAttributes(shown, { ...box, href });
      setAttributes(border, box);
      ink.setAttribute("d",
        view.picture.kind === "attention" ? outlineOf(view.image, box.width, box.height) : "");
      for (const mark of [halo, ring]) {
        mark.style.display = valueAt(network, view.cell) === null ? "none" : "";
        setAttributes(mark, { x: column * width, y: row * height, width, height });
      }
    },
  };
}

// The image itself, and beside the differences the marked cell in numbers.
function sidePanels(known) {
  const image = html("img", { alt: "" }), name = html("p", { class: "under" });
  const subject = html("div", { class: "subject" }, html("h4", {}, "Image"), image, name);
  const head = html("h4"), table = html("table"), names = ["teacher", ...known.students];
  const greys = colourKey("greys"), ahead = colourKey("ahead");
  const reading = html("div", { class: "reading", "aria-live": "polite" }, head, table, greys.element,
    ahead.element);
  const row = (view, network, k) => {
    const value = valueAt(network, view.cell);
    const gap = k && view.differences[k - 1] ? difference(value - valueAt(view.networks[0], view.cell)) : "";
    const who = html("th", { scope: "row", class: k ? "student" : "teacher" }, names[k]);
    const shown = value === null ? "no such cell" : threeDigits(value);
    return html("tr", {}, who, html("td", {}, shown), html("td", {}, gap));
  };
  return {
    subject,
    reading,
    draw(view) {
      image.src = known.images[view.image];
      name.textContent = `${aClass(view.label)}, image ${view.image + 1} of ${known.labels.length}`;
      const [across, down] = view.picture.axes.map((axis, i) => axis.replace("#", view.cell[1 - i] + 1));
      head.textContent = capital(`${down}, ${across}`);
      const what = view.picture.kind === "attention" ? "attention" : "flow";
      table.replaceChildren(headRow(["network", what, "− teacher"]),
        ...view.networks.map((each, k) => row(view, each, k)));
      greys.draw(threeDigits(view.low), `${threeDigits(view.high)}  ${what}`);
      ahead.draw(`−${threeDigits(view.apart)}`, `+${threeDigits(view.apart)}  student − teacher`);
    },
  };
}

function gallery(known, point) {
  const side = sidePanels(known);
  const teacher = matrix(known, "teacher", true, point);
  const ours = known.students.map(() => matrix(known, "student", false, point));
  const gaps = known.students.map(() => matrix(known, "gap", false, point));
  const [above, below] = [[teacher, ...ours], gaps].map((row) => row.map((part) => part.element));
  const element = html("div", { class: "gallery" }, side.subject, ...above, side.reading, ...below);
  element.style.setProperty("--columns", known.students.length + 2);
  return {
    element,
    draw(view) {
      side.draw(view);
      const shade = (value) => grey((value - view.low) / (view.high - view.low));
      const favour = (value) => tint(value / view.apart);
      const unit = view.picture.kind === "attention" ? "places" : "channels";
      const size = ({ rows, columns }) => `${rows} × ${columns} ${unit}`;
      const first = view.networks[0];
      teacher.draw(view, { title: "Teacher", network: first, colourOf: shade, under: size(first) });
      known.students.forEach((name, k) => {
        const network = view.networks[k + 1], values = view.differences[k];
        ours[k].draw(view, { title: name, network, colourOf: shade, under: size(network) });
        const under = values
          ? `loss ${threeDigits(view.picture.losses[k][view.image])}`
          : unequal(first, network);
        gaps[k].draw(view, { title: name, network: values && { ...network, values }, colourOf: favour,
          under });
      });
    },
  };
}

function unequal(teacher, student) {
  return (
    `No difference and no loss: the teacher has ${teacher.rows} × ${teacher.columns} channels, the student ` +
    `${student.rows} × ${student.columns}. FSP needs as many.`
  );
}

// ---- The sentence and the caption ----

// Of the students that have a loss: the nearest to the teacher on this image, and over all images.
function ranking(known, view) {
  const losses = view.picture.losses;
  const able = known.students.flatMap((_, k) => (losses[k] ? [k] : []));
  if (!able.length) return "";
  const told = (value) => listed(able.map((k) => `${known.students[k]} ${threeDigits(value(losses[k]))}`));
  const count = known.labels.length;
  const text = `Loss on this image: ${told((each) => each[view.image])}. Mean of all ${count} images: ` +
    `${told(mean)}.`;
  if (able.length < 2) return text;
  const nearest = (k, i) => able.every((other) => other === k || losses[k][i] < losses[other][i]);
  const wins = (k) => known.labels.filter((_, i) => nearest(k, i)).length;
  const best = able.reduce((top, k) => (wins(k) > wins(top) ? k : top));
  return `${text} Lowest on ${wins(best)} of them: ${known.students[best]}.`;
}

function sentence(known, view) {
  const spot = ({ values, columns }) => {
    const index = largestIndex(values);
    return [Math.floor(index / columns) + 1, (index % columns) + 1];
  };
  const [row, column] = spot(view.networks[0]);
  if (view.picture.kind === "flow") {
    const largest = threeDigits(Math.max(...view.networks[0].values));
    return `The teacher’s largest flow is from channel ${row} to channel ${column}, ${largest}. ` +
      `${ranking(known, view)}`;
  }
  const same = known.students.filter((_, k) => String(spot(view.networks[k + 1])) === String([row, column]));
  const who = same.length ? `so ${same.length > 1 ? "are" : "is"} ${listed(same)}` : `no student is`;
  const where = `On this ${view.label} the teacher is most active at row ${row}, column ${column}; ${who}.`;
  return `${where} ${ranking(known, view)}`;
}

const CAPTIONS = {
  attention:
    "How to read this: a cell is a place of the image, darker where the layer’s squared activations, summed over " +
    "its channels, are larger (as a vector of length 1). The green line is the outline of the ink. Blue: more " +
    "attention of the teacher; orange: of the student. The loss is the length of the difference: 0 for the same " +
    "map, √2 for maps without a place in common.",
  flow:
    "How to read this: a cell is a channel of the first layer (row) and one of the second (column), darker where " +
    "both are active at the same places: their inner product over the number of places. All networks share one " +
    "scale. Blue: more for the teacher; orange: for the student. The loss is the sum of the squared differences. " +
    "Unlike attention, it minds the strength of the activations and the order of the channels.",
};

function sentences(known) {
  const said = html("p", { class: "said", role: "status", "aria-live": "polite" });
  const caption = html("p", { class: "caption" });
  return {
    element: html("div", { class: "sentences" }, said, caption),
    draw(view) {
      setText(said, sentence(known, view));
      caption.textContent = CAPTIONS[view.picture.kind];
    },
  };
}

// ---- The panel ----

function render({ model, el }) {
  return openPanel(el, "kdviz-attention", (root, guarded) => assemble(model, root, guarded));
}

function assemble(model, root, guarded) {
  const known = decode(model);
  // The marked cell; until a reader marks one, it is where the teacher is strongest.
  let pointed = null;
  const point = (cell) => {
    if (String(cell) === String(pointed)) return;
    pointed = cell;
    draw();
  };
  const truth = (i) => aClass(known.classes[known.labels[i]]);
  const images = imagePicker(known, truth, (image) => save(model, "image", image));
  const parts = [choosers(known, (picture) => save(model, "picture", picture)), gallery(known, point),
    sentences(known)];
  root.append(parts[0].element, images.element, parts[1].element, parts[2].element);

  const draw = guarded(() => {
    const view = look(model, known, pointed);
    images.draw(view.image);
    for (const part of parts) part.draw(view);
  });
  draw();
  const ends = [
    // The cells of one picture are not those of another.
    follow(model, ["picture"], () => {
      pointed = null;
      draw();
    }),
    follow(model, ["image"], draw),
  ];
  return () => ends.forEach((end) => end());
}

export default { render };
