// A canvas that the reader composes: the digits on it, the class of every pixel, and what two networks say.
//
// `makeLook(model)` gives what computes everything a view shows from the model's traits, the only state.

import { chooser, html, INK, knob, setText, svg, svgPicture, words } from "../kit/elements.js";
import { grey, mix, pixelPicture, WHITE } from "../kit/images.js";
import { capital, clamp } from "../kit/numbers.js";
import { drawnByFrame, openPanel, restingChange } from "../kit/panel.js";
import { arrayOf } from "../kit/wire.js";
import { classesOf, mapsOf, unpackedLayers } from "./network.js";

const TRAITS = ["image", "across", "down", "student"], DIGIT = 8;
// One colour a digit; which digit it is stands beside it too.
const COLOURS = [[51, 34, 136], [136, 204, 238], [68, 170, 153], [17, 119, 51], [153, 153, 51], [221, 204,
  119], [204, 102, 119], [136, 34, 85], [170, 68, 153], [230, 159, 0]];

// The darker ink is seen, and the later digit has its pixels.
export function composed(size, least, digits) {
  const ink = new Float64Array(size * size), classes = Array(size * size).fill(10);
  for (const { pixels, label, top, left } of digits) {
    pixels.forEach((value, i) => {
      const at = (top + Math.floor(i / DIGIT)) * size + left + (i % DIGIT);
      ink[at] = Math.max(ink[at], value);
      if (value > least) classes[at] = label;
    });
  }
  return { ink, classes };
}

// Of all pixels those that are right; and intersection over union of one class.
export function scored(said, truth, label) {
  let right = 0, both = 0, either = 0;
  said.forEach((name, i) => {
    right += name === truth[i];
    both += name === label && truth[i] === label;
    either += name === label || truth[i] === label;
  });
  return { right: right / truth.length, overlap: either ? both / either : 0 };
}

function makeLook(model) {
  const size = model.get("size"), least = model.get("ink"), labels = model.get("labels");
  const images = arrayOf(model, "images");
  const networks = Object.fromEntries(
    Object.entries(model.get("networks")).map(([name, layers]) => [name, unpackedLayers(layers)]),
  );
  const digit = (image, top, left) => ({ pixels: images.at(image), label: labels[image], top, left });
  return () => {
    const [image, across, down, student] = TRAITS.map((name) => model.get(name));
    const { ink, classes } = composed(size, least, [digit(0, 0, 0), digit(image, down, across)]);
    const named = (layers) => {
      const said = classesOf(mapsOf(layers, ink, size), size * size);
      return { said, ...scored(said, classes, labels[image]) };
    };
    const background = classes.filter((name) => name === 10).length / classes.length;
    return { size, ink, classes, image, across, down, student, label: labels[image], background,
      teacher: named(networks.teacher), taught: named(networks[student]) };
  };
}

function shareText(share) {
  return `${(100 * share).toFixed(0)} %`;
}

function sentence({ label, teacher, taught, background }) {
  const told = ({ right, overlap }) =>
    `${shareText(right)} of the pixels right, IoU ${overlap.toFixed(2)} of your ${label}`;
  return `Teacher: ${told(teacher)}. Student: ${told(taught)}. Background everywhere: ${
    told({ right: background, overlap: 0 })
  }.`;
}

// A picture of classes, with the name of each at the middle of its pixels.
function drawClasses(classes, size) {
  const colour = (pixel) => classes[pixel] < 10 ? COLOURS[classes[pixel]] : mix(WHITE, [0, 0, 0], 0.05);
  const names = [...new Set(classes)].filter((name) => name < 10).map((name) => {
    const own = [...classes.keys()].filter((pixel) => classes[pixel] === name);
    if (own.length < 6) return "";
    const middle = (of) => own.reduce((sum, pixel) => sum + of(pixel), 0) / own.length + 0.5;
    return words(middle((p) => p % size), middle((p) => Math.floor(p / size)) + 1, String(name), {
      "text-anchor": "middle",
      style: `font-size: 3px; fill: ${INK}`,
    });
  });
  return [picture(size, colour), ...names.filter(Boolean)];
}

function picture(size, colour) {
  return svg("image", { width: size, height: size, href: pixelPicture([size, size], colour),
    class: "pixels" });
}

function panel(name, label, size, draw) {
  const title = html("p", {}, name), shown = svgPicture(size, size, label);
  return { element: html("div", {}, title, shown), shown, draw: (view) => {
    shown.replaceChildren(...draw(view));
    if (name === "student") setText(title, capital(view.student));
  } };
}

function render({ model, el }) {
  return openPanel(el, "kdviz-canvas", (root, guarded) => {
    const { change, end } = restingChange(model);
    const size = model.get("size"), most = size - DIGIT,
      students = Object.keys(model.get("networks")).slice(1);
    const labels = model.get("labels");
    const image = knob("Your digit", { min: 0, max: labels.length - 1 }, (value) => change({ image: value }));
    const across = knob("Across", { min: 0, max: most }, (value) => change({ across: value }));
    const down = knob("Down", { min: 0, max: most }, (value) => change({ down: value }));
    const student = chooser("Which student", students, (index) => change({ student: students[index] }));
    const parts = [
      panel("Canvas", "The canvas with two digits", size,
        ({ ink }) => [picture(size, (pixel) => grey(ink[pixel]))]),
      panel("Truth", "The class of each pixel", size, ({ classes }) => drawClasses(classes, size)),
      panel("Teacher", "What the teacher says of each pixel", size,
        ({ teacher }) => drawClasses(teacher.said, size)),
      panel("student", "What the student says of each pixel", size,
        ({ taught }) => drawClasses(taught.said, size)),
    ];
    place(parts[0].shown, size,
      (x, y) => change({ across: clamp(x - DIGIT / 2, 0, most), down: clamp(y - DIGIT / 2, 0, most) }));
    const readOut = html("p", { class: "read-out", "aria-live": "polite" });
    const controls = [image, across, down, student].map(({ element }) => element);
    root.append(html("div", { class: "controls" }, ...controls),
      html("div", { class: "pictures" }, ...parts.map(({ element }) => element)), readOut);
    const after = (view) => {
      image.show(view.image, String(view.label), `a ${view.label}, number ${view.image + 1}`);
      across.show(view.across, String(view.across));
      down.show(view.down, String(view.down));
      student.draw(students.indexOf(view.student));
      setText(readOut, sentence(view));
    };
    const drawn = drawnByFrame({ model, traits: TRAITS, root, panel: root, parts, look: makeLook(model),
      guarded, after });
    return () => {
      end();
      drawn.end();
    };
  });
}

// The digit follows the pointer while it is pressed.
function place(shown, size, act) {
  shown.classList.add("placing");
  const moved = (event) => {
    const { left, top, width, height } = shown.getBoundingClientRect();
    act(Math.round(size * (event.clientX - left) / width), Math.round(size * (event.clientY - top) / height));
  };
  shown.addEventListener("pointerdown", (event) => {
    shown.setPointerCapture(event.pointerId);
    moved(event);
  });
  shown.addEventListener("pointermove", (event) => {
    if (event.buttons) moved(event);
  });
}

export default { render };
