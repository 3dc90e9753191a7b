// The attribution explorer: what each network's answer rests on, on one image, by one method.
//
// First what is decoded, then the parts of the panel. A part makes its elements once and returns
// `{ element, draw }`.

import { chooser, headRow, html, setText, svg } from "../kit/elements.js";
import { imagePicker, imagesOf, mix, outline, pixelPicture, WHITE } from "../kit/images.js";
import { aClass, capital, decimals, listed, percent } from "../kit/numbers.js";
import { follow, openPanel, save, traitsOf } from "../kit/panel.js";
import { unpack } from "../kit/wire.js";

// Neither the teacher's nor the student's colour, and told apart by people of every colour vision.
const AGAINST = [84, 39, 136], FOR = [179, 88, 6];
const FULL = 200;

// Beside other numbers, in a narrow column.
function share(fraction) {
  return percent(fraction, 0, "\u00a0");
}

function decode(model) {
  const methods = model.get("methods").map((method) => {
    return { ...method, maps: unpack(method.maps), tops: unpack(method.tops) };
  });
  const { shape, colours, addresses } = imagesOf(model);
  const known = traitsOf(model, ["labels", "targets", "classes", "networks", "top"]);
  return { ...known, shape, colours, images: addresses(), methods };
}

function look(model, known) {
  const [chosen, image] = [model.get("method"), model.get("image")];
  return { chosen, image, method: known.methods[chosen], target: known.classes[known.targets[image]] };
}

// ---- The parts ----

function mapPanel(known, network) {
  const role = network ? (network === 1 ? "student" : "baseline") : "teacher";
  const foot = html("p", { class: "under" });
  const side = FULL / Math.max(...known.shape);
  const [height, width] = known.shape.map((length) => length * side), all = { x: 0, y: 0, width, height };
  const shown = svg("image", { ...all, class: "pixels", preserveAspectRatio: "none" });
  const halo = svg("path", { class: "halo" }), line = svg("path", { class: "line" });
  const drawn = [shown, svg("rect", { ...all, class: "border" }), halo, line];
  const canvas = svg("svg", { viewBox: `-2 -2 ${width + 4} ${height + 4}`, role: "img" }, ...drawn);
  return {
    element: html("div", { class: `map ${role}` }, html("h4", {}, known.networks[network]), canvas, foot),
    draw({ method, image }) {
      const values = method.maps.at(network, image), tops = method.tops.at(network, image);
      const colourOf = (pixel) => mix(WHITE, values[pixel] > 0 ? FOR : AGAINST, Math.abs(values[pixel]));
      shown.setAttribute("href", pixelPicture(known.shape, colourOf));
      const d = outline((pixel) => tops[pixel] > 0, known.shape, side, side);
      for (const path of [halo, line]) path.setAttribute("d", d);
      const alike = network
        ? `ranks ${decimals(method.ranks[network - 1][image])}, ` +
          `top shared ${share(method.shared[network - 1][image])}`
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
      name.textContent = `${aClass(known.classes[known.labels[view.image]])}; asked: what speaks for ` +
        `${view.target}?`;
      for (const panel of panels) panel.draw(view);
    },
  };
}

// The means over all images, and what to hold them against.
function table(known) {
  const body = html("tbody");
  const head = headRow(["compared with the teacher", "correlation of the ranks", "top places shared"]);
  const key = html("p", { class: "key" }, "against ", html("i"), " for");
  const told = ([mean, low, high], write) =>
    mean === null ? "–" : `${write(mean)} (${write(low)} to ${write(high)})`;
  const row = (name, ranks, shared) =>
    html("tr", {}, html("th", { scope: "row" }, name), html("td", {}, ranks), html("td", {}, shared));
  return {
    element: html("div", { class: "numbers" }, html("table", {}, html("thead", {}, head), body), key),
    draw({ method }) {
      const [ranks, shared] = method.elsewhere;
      body.replaceChildren(
        ...known.networks.slice(1).map((name, k) =>
          row(name, told(method.mean_ranks[k], decimals), told(method.mean_shared[k], share))
        ),
        row(`${known.networks[1]}, on other images`, told(ranks, decimals), told(shared, share)),
        row("by chance", "0.00", share(method.chance)),
      );
    },
  };
}

function sentence(known, { method, image, target }) {
  const others = known.networks.slice(1);
  const here = others.map((name, k) => `${name} ${decimals(method.ranks[k][image])}`);
  const all = others.map((name, k) => `${name} ${decimals(method.mean_ranks[k][0])}`);
  const text =
    `What speaks for ${target} in this image, by ${method.name}: the ranks of the places correlate ` +
    `with the teacher’s by ${listed(here)}. Mean of all ${known.labels.length} images: ${listed(all)}; ` +
    `for images ` +
    `that do not belong together ${decimals(method.elsewhere[0][0])}.`;
  if (others.length < 2) return `${text} Without a label-only student, nothing says whether that is much.`;
  const [mean, low, high] = method.gain;
  if (mean === null) return text;
  const verdict = low > 0
    ? "more like the teacher than"
    : high < 0
    ? "less like the teacher than"
    : "not told apart from";
  return `${text} Image by image, ${others[0]} is ${verdict} ${others[1]}: difference ${decimals(mean)}, ` +
    `95 % interval ${decimals(low)} to ${decimals(high)}.`;
}

function sentences(known) {
  const said = html("p", { class: "said", role: "status", "aria-live": "polite" });
  const caption =
    "How to read this: brown places speak for the class asked about, purple ones against it, each " +
    `network on its own scale. The black line goes around its ${known.top} strongest places. In brackets: 95 % ` +
    "intervals over images, for these networks; other seeds of the students may say otherwise.";
  return {
    element: html("div", { class: "sentences" }, said, html("p", { class: "caption" }, caption)),
    draw: (view) => setText(said, sentence(known, view)),
  };
}

// ---- The panel ----

function render({ model, el }) {
  return openPanel(el, "kdviz-attribution", (root, guarded) => {
    const known = decode(model);
    const methods = chooser("Method", known.methods.map(({ name }) => capital(name)),
      (method) => save(model, "method", method));
    const truth = (i) => aClass(known.classes[known.labels[i]]);
    const images = imagePicker(known, truth, (image) => save(model, "image", image));
    const parts = [gallery(known), table(known), sentences(known)];
    root.append(methods.element, images.element, ...parts.map((part) => part.element));
    const draw = guarded(() => {
      const view = look(model, known);
      methods.draw(view.chosen);
      images.draw(view.image);
      for (const part of parts) part.draw(view);
    });
    draw();
    return follow(model, ["method", "image"], draw);
  });
}

export default { render };
