// The attention explorer: maps of teacher and students on one image, their differences, and the losses.
//
// Two kinds of pictures are drawn alike: attention maps, whose cells are places of the image, and flows,
// whose cells are pairs of channels. First what is decoded, then elements, then the parts of the panel.
// A part makes its elements once and returns `{ element, draw }`.

const BLUE = rgb(TEACHER), ORANGE = rgb(STUDENT), BLACK = rgb(INK);
const FULL = 200;

// Three significant digits.
function number(value) {
  if (Math.abs(value) < 5e-5) return "0";
  const decimals = clamp(2 - Math.floor(Math.log10(Math.abs(value))), 0, 4);
  return minus(value.toFixed(decimals));
}

function difference(value) {
  return value >= 5e-5 ? `+${number(value)}` : number(value);
}

function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

// ---- What there is to see ----

function decode(model) {
  const names = ["labels", "classes", "students", "image_shape"];
  const [labels, classes, students, shape] = names.map((name) => model.get(name));
  const colours = imagesOf(model);
  const images = colours.map((colourOf) => pixelPicture(shape, colourOf));
  const pictures = model.get("pictures").map((picture) => ({
    ...picture,
    networks: picture.networks.map(({ shape: [rows, columns], scale, values }) => {
      const all = numbersOf(values, Int16Array);
      const length = rows * columns;
      const part = (image) => all.subarray(image * length, (image + 1) * length);
      const of = (image) => Float64Array.from(part(image), (value) => (value / 32767) * scale);
      return { rows, columns, of };
    }),
  }));
  return { labels, classes, students, shape, colours, images, pictures };
}

function strongest(values) {
  return values.reduce((best, value, i) => (value > values[best] ? i : best), 0);
}

function look(model, known, pointed) {
  const [chosen, image] = [model.get("picture"), model.get("image")];
  const picture = known.pictures[chosen];
  const networks = picture.networks.map(({ rows, columns, of }) => ({ rows, columns, values: of(image) }));
  const [teacher, ...ours] = networks;
  const differences = ours.map((mine, k) =>
    picture.losses[k] ? mine.values.map((value, i) => value - teacher.values[i]) : null);
  const every = networks.map((each) => each.values);
  const high = Math.max(...every.map((values) => Math.max(...values))) || 1;
  const low = Math.min(0, ...every.map((values) => Math.min(...values)));
  const apart = Math.max(...differences.map((values) => (values ? Math.max(...values.map(Math.abs)) : 0))) || 1;
  const first = strongest(teacher.values);
  const place = pointed ?? [Math.floor(first / teacher.columns), first % teacher.columns];
  const label = known.classes[known.labels[image]];
  return { chosen, image, picture, networks, differences, high, low, apart, place, label };
}

function valueAt(network, [row, column]) {
  return row < network.rows && column < network.columns ? network.values[row * network.columns + column] : null;
}

// ---- The parts ----

const KINDS = { attention: "Attention maps", flow: "Flow between layers (FSP)" };

function choosers(known, choose) {
  const kinds = Object.keys(KINDS);
  const kindButtons = kinds.map((kind) => radio(KINDS[kind]));
  const kind = radioGroup("What to compare", "chooser", kindButtons, (place) =>
    choose(known.pictures.findIndex((picture) => picture.kind === kinds[place])));
  const buttons = known.pictures.map((picture) => radio(picture.name));
  const layer = radioGroup("Layer", "chooser", buttons, choose);
  layer.prepend(html("span", {}, "Layer"));
  return {
    element: html("div", { class: "controls" }, kind, layer),
    draw(view) {
      markChosen(kindButtons, kinds.indexOf(view.picture.kind));
      markChosen(buttons, view.chosen);
      known.pictures.forEach((picture, i) => { buttons[i].hidden = picture.kind !== view.picture.kind; });
      // One layer leaves nothing to choose.
      layer.hidden = buttons.filter((button) => !button.hidden).length < 2;
    },
  };
}

function imagePicker(known, choose) {
  const buttons = known.images.map((href, i) => {
    const name = `image ${i + 1} of ${known.images.length}, ${aClass(known.classes[known.labels[i]])}`;
    return radio(html("img", { src: href, alt: "" }), { "aria-label": name });
  });
  return { element: radioGroup("Image", "thumbnails", buttons, choose), draw: (view) => markChosen(buttons, view.image) };
}

// How large a cell is: a square where it is a place; channels fill the frame.
function fit(view, { rows, columns }) {
  const square = FULL / Math.max(rows, columns);
  return view.picture.kind === "attention" ? [square, square] : [FULL / columns, FULL / rows];
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
  let size = null, at = null, cell = null;
  if (focusable) {
    keepKeys(frame);
    const label = "The cells of the teacher’s picture. Arrow keys move the marked cell.";
    setAttributes(frame, { tabindex: 0, role: "group", "aria-label": label });
    frame.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
      if (!step) return;
      event.preventDefault();
      event.stopPropagation();
      // At the end of a row, a column begins again: every key moves.
      point([(at[0] + step[0] + size.rows) % size.rows, (at[1] + step[1] + size.columns) % size.columns]);
    });
  }
  const pointTo = (event) => {
    const box = canvas.getBoundingClientRect();
    const [column, row] = [event.clientX - box.left, event.clientY - box.top].map((length, axis) =>
      Math.floor(((length / box.width) * (FULL + 4) - 2) / cell[axis]));
    if (Math.min(row, column) >= 0 && row < size.rows && column < size.columns) point([row, column]);
  };
  canvas.addEventListener("pointermove", (event) => size && pointTo(event));
  canvas.addEventListener("click", (event) => size && pointTo(event));
  return {
    element: html("div", { class: `matrix ${className}` }, head, canvas, foot),
    draw(view, { title, network, colourOf, under }) {
      who.textContent = title;
      foot.textContent = under;
      canvas.style.display = network ? "" : "none";
      size = network;
      at = view.place;
      if (!network) return;
      cell = fit(view, network);
      const [wide, high] = cell;
      const [width, height] = [wide * network.columns, high * network.rows];
      const box = { x: 0, y: 0, width, height };
      const href = pixelPicture([network.rows, network.columns], (place) => colourOf(network.values[place]));
      setAttributes(shown, { ...box, href });
      setAttributes(border, box);
      const [pixelsDown, pixelsAcross] = known.shape;
      const places = view.picture.kind === "attention";
      const inked = () => outline((place) => isDark(known.colours[view.image](place)), known.shape, width / pixelsAcross, height / pixelsDown);
      ink.setAttribute("d", places ? inked() : "");
      const inside = valueAt(network, view.place) !== null;
      for (const mark of [halo, ring]) {
        mark.style.display = inside ? "" : "none";
        setAttributes(mark, { x: view.place[1] * wide, y: view.place[0] * high, width: wide, height: high });
      }
    },
  };
}

function colourKey(className) {
  const [low, high] = [html("span"), html("span")];
  return {
    element: html("div", { class: "key" }, low, html("i", { class: className }), high),
    draw(from, to) {
      [low.textContent, high.textContent] = [from, to];
    },
  };
}

// The image itself, and beside the differences the marked cell in numbers.
function sidePanels(known) {
  const image = html("img", { alt: "" }), name = html("p", { class: "under" });
  const subject = html("div", { class: "subject" }, html("h4", {}, "Image"), image, name);
  const head = html("h4"), table = html("table");
  const greys = colourKey("greys"), ahead = colourKey("ahead");
  const reading = html("div", { class: "reading", "aria-live": "polite" }, head, table, greys.element, ahead.element);
  return {
    subject,
    reading,
    draw(view) {
      image.src = known.images[view.image];
      name.textContent = `${aClass(view.label)}, image ${view.image + 1} of ${known.labels.length}`;
      const [row, column] = view.place;
      const [across, down] = view.picture.axes;
      head.textContent = capital(`${down.replace("#", row + 1)}, ${across.replace("#", column + 1)}`);
      const names = ["teacher", ...known.students];
      const rows = view.networks.map((network, k) => {
        const value = valueAt(network, view.place);
        const gap = k && view.differences[k - 1] ? difference(value - valueAt(view.networks[0], view.place)) : "";
        const shown = value === null ? "no such cell" : number(value);
        const who = html("th", { scope: "row", class: k ? "student" : "teacher" }, names[k]);
        return html("tr", {}, who, html("td", {}, shown), html("td", {}, gap));
      });
      const what = view.picture.kind === "attention" ? "attention" : "flow";
      const heads = ["network", what, "− teacher"].map((text) => html("th", { scope: "col" }, text));
      table.replaceChildren(html("tr", {}, ...heads), ...rows);
      greys.draw(number(view.low), `${number(view.high)}  ${what}`);
      ahead.draw(`−${number(view.apart)}`, `+${number(view.apart)}  student − teacher`);
    },
  };
}

function capital(text) {
  return text[0].toUpperCase() + text.slice(1);
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
      const grey = (value) => mix(WHITE, BLACK, (value - view.low) / (view.high - view.low));
      const tint = (value) => mix(WHITE, value > 0 ? ORANGE : BLUE, Math.abs(value) / view.apart);
      const unit = view.picture.kind === "attention" ? "places" : "channels";
      const size = ({ rows, columns }) => `${rows} × ${columns} ${unit}`;
      const first = view.networks[0];
      teacher.draw(view, { title: "Teacher", network: first, colourOf: grey, under: size(first) });
      known.students.forEach((name, k) => {
        const network = view.networks[k + 1];
        ours[k].draw(view, { title: name, network, colourOf: grey, under: size(network) });
        const values = view.differences[k];
        const under = values ? `loss ${number(view.picture.losses[k][view.image])}` : unequal(first, network);
        gaps[k].draw(view, { title: name, network: values && { ...network, values }, colourOf: tint, under });
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
  const able = known.students.flatMap((name, k) => (losses[k] ? [k] : []));
  if (!able.length) return "";
  const told = (value) => listed(able.map((k) => `${known.students[k]} ${number(value(losses[k]))}`));
  const count = known.labels.length;
  const text = `Loss on this image: ${told((each) => each[view.image])}. Mean of all ${count} images: ${told(mean)}.`;
  if (able.length < 2) return text;
  const nearest = (k, i) => able.every((other) => other === k || losses[k][i] < losses[other][i]);
  const wins = (k) => known.labels.filter((_, i) => nearest(k, i)).length;
  const best = able.reduce((top, k) => (wins(k) > wins(top) ? k : top));
  return `${text} Lowest on ${wins(best)} of them: ${known.students[best]}.`;
}

function sentence(known, view) {
  const spot = ({ values, columns }) => {
    const place = strongest(values);
    return [Math.floor(place / columns) + 1, (place % columns) + 1];
  };
  const [row, column] = spot(view.networks[0]);
  if (view.picture.kind === "flow") {
    const largest = number(Math.max(...view.networks[0].values));
    return `The teacher’s largest flow is from channel ${row} to channel ${column}, ${largest}. ${ranking(known, view)}`;
  }
  const same = known.students.filter((_, k) => String(spot(view.networks[k + 1])) === String([row, column]));
  const who = same.length ? `so ${same.length > 1 ? "are" : "is"} ${listed(same)}` : `no student is`;
  const where = `On this ${view.label} the teacher is most active at row ${row}, column ${column}; ${who}.`;
  return `${where} ${ranking(known, view)}`;
}

const CAPTIONS = {
  attention:
    "How to read this: a cell is a place of the image, darker where the layer’s squared activations, summed over " +
    "its channels, are larger (as a vector of length 1). The green line is the outline of the ink. " +
    "Blue: more attention of the teacher; orange: of the student. The loss is the length of the difference: 0 for the same map, √2 for maps without a place in common.",
  flow:
    "How to read this: a cell is a channel of the first layer (row) and one of the second (column), darker where " +
    "both are active at the same places: their inner product over the number of places. All networks share one " +
    "scale. Blue: more for the teacher; orange: for the student. The loss is the sum of the squared differences. Unlike attention, it minds the strength of the activations and the order of the channels.",
};

function sentences(known) {
  const said = html("p", { class: "said", role: "status", "aria-live": "polite" });
  const caption = html("p", { class: "caption" });
  return {
    element: html("div", { class: "sentences" }, said, caption),
    draw(view) {
      const text = sentence(known, view);
      setText(said, text);
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
  const parts = [
    choosers(known, (picture) => save(model, "picture", picture)),
    imagePicker(known, (image) => save(model, "image", image)),
    gallery(known, (place) => {
      if (String(place) === String(pointed)) return;
      pointed = place;
      draw();
    }),
    sentences(known),
  ];
  root.append(...parts.map((part) => part.element));

  const draw = guarded(() => {
    const view = look(model, known, pointed);
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
