// The attribution explorer: what each network's answer rests on, on one image, by one method.
//
// First what is decoded, then elements, then the parts of the panel. A part makes its elements once and
// returns `{ element, draw }`.

// Neither the teacher's nor the student's colour, and told apart by people of every colour vision.
const AGAINST = [84, 39, 136], FOR = [179, 88, 6];
const FULL = 200;

function number(value) {
  return value === null ? "–" : minus(value.toFixed(2));
}

function percent(value) {
  return value === null ? "–" : `${Math.round(100 * value)}\u00a0%`;
}

// ---- What there is to see ----

function decode(model) {
  const names = ["labels", "targets", "classes", "networks", "image_shape", "top"];
  const [labels, targets, classes, networks, shape, top] = names.map((name) => model.get(name));
  const size = shape[0] * shape[1];
  const images = imagesOf(model).map((colourOf) => pixelPicture(shape, colourOf));
  const packed = Math.ceil(size / 8);
  const methods = model.get("methods").map((method) => {
    const maps = method.maps.map((text) => numbersOf(text, Int8Array));
    const tops = method.tops.map((text) => numbersOf(text));
    return {
      ...method,
      map: (network, image) => maps[network].subarray(image * size, (image + 1) * size),
      isTop: (network, image) => (place) =>
        Boolean(tops[network][image * packed + (place >> 3)] & (128 >> (place & 7))),
    };
  });
  return { labels, targets, classes, networks, shape, top, images, methods };
}

function look(model, known) {
  const [chosen, image] = [model.get("method"), model.get("image")];
  return { chosen, image, method: known.methods[chosen], target: known.classes[known.targets[image]] };
}

// ---- The parts ----

function methodChooser(known, choose) {
  const buttons = known.methods.map((method) => radio(method.name[0].toUpperCase() + method.name.slice(1)));
  const element = radioGroup("Method", "chooser", buttons, choose);
  // One method leaves nothing to choose.
  element.hidden = buttons.length < 2;
  return { element, draw: (view) => markChosen(buttons, view.chosen) };
}

function imagePicker(known, choose) {
  const buttons = known.images.map((href, i) => {
    const name = `image ${i + 1} of ${known.images.length}, ${aClass(known.classes[known.labels[i]])}`;
    return radio(html("img", { src: href, alt: "" }), { "aria-label": name });
  });
  return { element: radioGroup("Image", "thumbnails", buttons, choose), draw: (view) => markChosen(buttons, view.image) };
}

function mapPanel(known, network) {
  const role = network ? (network === 1 ? "student" : "baseline") : "teacher";
  const foot = html("p", { class: "under" });
  const shown = svg("image", { x: 0, y: 0, class: "pixels", preserveAspectRatio: "none" });
  const halo = svg("path", { class: "halo" }), line = svg("path", { class: "line" });
  const side = FULL / Math.max(...known.shape);
  const [height, width] = known.shape.map((length) => length * side);
  setAttributes(shown, { width, height });
  const border = svg("rect", { x: 0, y: 0, width, height, class: "border" });
  const canvas = svg("svg", { viewBox: `-2 -2 ${width + 4} ${height + 4}`, role: "img" }, shown, border, halo, line);
  return {
    element: html("div", { class: `map ${role}` }, html("h4", {}, known.networks[network]), canvas, foot),
    draw(view) {
      const values = view.method.map(network, view.image);
      const colourOf = (place) => mix(WHITE, values[place] > 0 ? FOR : AGAINST, Math.abs(values[place]) / 127);
      shown.setAttribute("href", pixelPicture(known.shape, colourOf));
      const path = outline(view.method.isTop(network, view.image), known.shape, side, side);
      halo.setAttribute("d", path);
      line.setAttribute("d", path);
      const alike = network
        ? `ranks ${number(view.method.ranks[network - 1][view.image])}, ` +
          `top shared ${percent(view.method.shared[network - 1][view.image])}`
        : "what the others are held against";
      foot.textContent = alike;
      canvas.setAttribute("aria-label", `${known.networks[network]}: ${alike}`);
    },
  };
}

function gallery(known) {
  const image = html("img", { alt: "" }), name = html("p", { class: "under" });
  const subject = html("div", { class: "map" }, html("h4", {}, "image"), image, name);
  const panels = known.networks.map((_, network) => mapPanel(known, network));
  const element = html("div", { class: "gallery" }, subject, ...panels.map((panel) => panel.element));
  element.style.setProperty("--columns", panels.length + 1);
  return {
    element,
    draw(view) {
      image.src = known.images[view.image];
      name.textContent = `${aClass(known.classes[known.labels[view.image]])}; asked: what speaks for ${view.target}?`;
      for (const panel of panels) panel.draw(view);
    },
  };
}

// The means over all images, and what to hold them against.
function table(known) {
  const body = html("tbody");
  const heads = ["compared with the teacher", "correlation of the ranks", "top places shared"];
  const head = html("tr", {}, ...heads.map((text) => html("th", { scope: "col" }, text)));
  const key = html("p", { class: "key" }, "against ", html("i"), " for");
  return {
    element: html("div", { class: "numbers" }, html("table", {}, html("thead", {}, head), body), key),
    draw({ method }) {
      const told = ([mean, low, high], write) =>
        mean === null ? "–" : `${write(mean)} (${write(low)} to ${write(high)})`;
      const row = (name, ranks, shared) =>
        html("tr", {}, html("th", { scope: "row" }, name), html("td", {}, ranks), html("td", {}, shared));
      const rows = known.networks.slice(1).map((name, k) =>
        row(name, told(method.mean_ranks[k], number), told(method.mean_shared[k], percent)));
      const [ranks, shared] = method.elsewhere;
      rows.push(row(`${known.networks[1]}, on other images`, told(ranks, number), told(shared, percent)));
      rows.push(row("by chance", "0.00", percent(method.chance)));
      body.replaceChildren(...rows);
    },
  };
}

function sentence(known, { method, image, target }) {
  const others = known.networks.slice(1);
  const here = others.map((name, k) => `${name} ${number(method.ranks[k][image])}`);
  const all = others.map((name, k) => `${name} ${number(method.mean_ranks[k][0])}`);
  const text =
    `What speaks for ${target} in this image, by ${method.name}: the ranks of the places correlate with the ` +
    `teacher’s by ${listed(here)}. Mean of all ${known.labels.length} images: ${listed(all)}; for images that do ` +
    `not belong together ${number(method.elsewhere[0][0])}.`;
  if (others.length < 2) return `${text} Without a label-only student, nothing says whether that is much.`;
  const [mean, low, high] = method.gain;
  if (mean === null) return text;
  const verdict = low > 0 ? "more like the teacher than" : high < 0 ? "less like the teacher than" : "not told apart from";
  return (
    `${text} Image by image, ${others[0]} is ${verdict} ${others[1]}: difference ${number(mean)}, 95 % interval ` +
    `${number(low)} to ${number(high)}.`
  );
}

function sentences(known) {
  const said = html("p", { class: "said", role: "status", "aria-live": "polite" });
  const caption = html(
    "p", { class: "caption" },
    "How to read this: brown places speak for the class asked about, purple ones against it, each network on its own " +
    `scale. The black line goes around its ${known.top} strongest places. In brackets: 95 % intervals over images, for ` +
    "these networks; other seeds of the students may say otherwise.",
  );
  return {
    element: html("div", { class: "sentences" }, said, caption),
    draw(view) {
      const text = sentence(known, view);
      if (said.textContent !== text) said.textContent = text;
    },
  };
}

// ---- The panel ----

function render({ model, el }) {
  return openPanel(el, "kdviz-attribution", (root, guarded) => {
    const known = decode(model);
    const parts = [
      methodChooser(known, (method) => save(model, "method", method)),
      imagePicker(known, (image) => save(model, "image", image)),
      gallery(known),
      table(known),
      sentences(known),
    ];
    root.append(...parts.map((part) => part.element));
    const draw = guarded(() => {
      const view = look(model, known);
      for (const part of parts) part.draw(view);
    });
    draw();
    return follow(model, ["method", "image"], draw);
  });
}

export default { render };
