// What the explorers are made of. `Explorer` puts this file in front of each module, live and on a static
// page: the names here are every module's, and a module cannot give one of them away again.

const SVG = "http://www.w3.org/2000/svg";
// Who is who.
const TEACHER = "#0072b2", STUDENT = "#d55e00", BASELINE = "#5f5f5f", INK = "#222222";

// ---- Elements ----

function html(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(element, attributes, children) {
  setAttributes(element, attributes);
  element.append(...children);
  return element;
}

function setAttributes(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "number" && !Number.isFinite(value)) {
      throw new Error(`${element.tagName} got ${name} = ${value}`);
    }
    // Setting even the same value again would make the browser lay the element out anew.
    if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
  }
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function words(x, y, text, attributes = {}) {
  return svg("text", { x, y, ...attributes }, text);
}

// ---- Controls ----

// JupyterLab takes the arrow keys and the space bar from any element that does not say this itself.
function keepKeys(element) {
  element.dataset.lmSuppressShortcuts = "true";
  return element;
}

function button(text, onClick, attributes = {}) {
  const made = keepKeys(html("button", { type: "button", ...attributes }, text));
  made.addEventListener("click", onClick);
  return made;
}

function dropDown(text, options, onChange) {
  const made = options.map(([value, name]) => html("option", { value }, name));
  const select = keepKeys(html("select", { "aria-label": text }, ...made));
  select.addEventListener("change", () => onChange(select.value));
  return select;
}

// A slider, and beside it what it says.
function slide(text, attributes, onInput, output = html("output")) {
  const input = keepKeys(html("input", { type: "range", step: 1, "aria-label": text, ...attributes }));
  input.addEventListener("input", () => onInput(Number(input.value)));
  // The value may also come from Python, or from a second view.
  const show = (place, described, spoken = described) => {
    input.value = place;
    setText(output, described);
    setAttributes(input, { "aria-valuetext": spoken });
  };
  return { input, output, show };
}

function knob(text, attributes, onInput) {
  const { input, output, show } = slide(text, attributes, onInput);
  return { input, show, element: html("label", { class: "knob" }, text, input, output) };
}

// Arrow keys move the choice through those of a group that can be seen; one of them is reached by tab.
function chooseByKeys(elements, choose) {
  const moves = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
  elements.forEach((element, place) => {
    keepKeys(element).addEventListener("click", () => choose(place));
    element.addEventListener("keydown", (event) => {
      const seen = elements.flatMap((each, i) => (each.hidden ? [] : [i]));
      let target = { Home: seen[0], End: seen.at(-1), " ": place, Enter: place }[event.key];
      if (event.key in moves) target = seen[(seen.indexOf(place) + moves[event.key] + seen.length) % seen.length];
      if (target === undefined) return;
      event.preventDefault();
      event.stopPropagation();
      choose(target);
      elements[target].focus();
    });
  });
}

function markChosen(elements, chosen) {
  elements.forEach((element, place) => {
    setAttributes(element, { "aria-checked": place === chosen, tabindex: place === chosen ? 0 : -1 });
  });
}

function radio(content, attributes = {}) {
  return html("button", { type: "button", role: "radio", ...attributes }, content);
}

// Radio buttons of which one is chosen; `markChosen` says which.
function radioGroup(label, className, buttons, choose) {
  chooseByKeys(buttons, choose);
  return html("div", { class: className, role: "radiogroup", "aria-label": label }, ...buttons);
}

// ---- The model and the panel ----

function save(model, name, value) {
  model.set(name, value);
  model.save_changes();
}

// Draws again whenever one of the traits changes. What is returned ends that.
function follow(model, traits, draw) {
  for (const trait of traits) model.on(`change:${trait}`, draw);
  return () => {
    for (const trait of traits) model.off(`change:${trait}`, draw);
  };
}

// What goes wrong in an action is told in an element of the panel.
function guardedBy(place, what, action) {
  return (...given) => {
    try {
      return action(...given);
    } catch (error) {
      place.textContent = `The ${what} could not be drawn: ${error.message}`;
    }
  };
}

// Puts a panel on the page. Below it stands what last went wrong in the actions that it guards.
function openPanel(el, name, assemble) {
  const trouble = html("p", { class: "trouble", role: "alert" });
  const root = html("div", { class: name });
  const guarded = (action) => guardedBy(trouble, "explorer", (...given) => {
    setText(trouble, "");
    return action(...given);
  });
  el.append(root);
  const end = guarded(assemble)(root, guarded);
  root.append(trouble);
  return end;
}

// ---- Numbers and names ----

function clamp(value, low, high) {
  return Math.min(Math.max(value, low), high);
}

// A linear scale from the numbers between `low` and `high` to pixels.
function scale(low, high, from, to) {
  return (value) => from + ((value - low) / (high - low || 1)) * (to - from);
}

function minus(text) {
  return text.replace("-", "−");
}

function signed(value, digits = 1) {
  const text = Math.abs(value).toFixed(digits);
  return Number(text) === 0 ? text : `${value > 0 ? "+" : "−"}${text}`;
}

function aClass(name) {
  return `${/^(8|[aeiou])/i.test(name) ? "an" : "a"} ${name}`;
}

function listed(names) {
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}

// The numbers that Python packed, in base64.
function numbersOf(text, Kind = Uint8Array) {
  return new Kind(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer);
}

// ---- Pixels ----

const WHITE = [255, 255, 255];

function rgb(colour) {
  return [1, 3, 5].map((place) => parseInt(colour.slice(place, place + 2), 16));
}

function mix(from, to, share) {
  return from.map((part, i) => Math.round(part + (to[i] - part) * clamp(share, 0, 1)));
}

function fillPixels(canvas, [height, width], colourOf) {
  // Setting even the same size again would give the canvas new memory.
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const image = new ImageData(width, height);
  for (let place = 0; place < width * height; place++) image.data.set([...colourOf(place), 255], 4 * place);
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

// The images of an explorer, each as the colour of a place: three bytes of it, or one of ink on paper.
function imagesOf(model) {
  const bytes = numbersOf(model.get("images"));
  const [height = 0, width = 0, parts = 1] = model.get("image_shape");
  const size = height * width * parts;
  return Array.from({ length: size ? bytes.length / size : 0 }, (_, i) => (place) => {
    const from = i * size + place * parts;
    return parts === 3 ? [...bytes.subarray(from, from + 3)] : Array(3).fill(255 - bytes[from]);
  });
}

// Whether a colour is nearer to ink than to paper, as the eye weighs red, green and blue.
function isDark([red, green, blue]) {
  return 0.299 * red + 0.587 * green + 0.114 * blue < 127.5;
}

// Such a picture as an address that an <image> can show.
function pixelPicture(shape, colourOf) {
  return fillPixels(html("canvas"), shape, colourOf).toDataURL();
}

// The border of a set of places, as lines of a picture of that many rows and columns.
function outline(inside, [rows, columns], across, down) {
  const has = (row, column) =>
    row >= 0 && row < rows && column >= 0 && column < columns && inside(row * columns + column);
  let path = "";
  for (let row = 0; row <= rows; row++) {
    for (let column = 0; column <= columns; column++) {
      if (has(row, column) !== has(row - 1, column)) path += `M${column * across} ${row * down}h${across}`;
      if (has(row, column) !== has(row, column - 1)) path += `M${column * across} ${row * down}v${down}`;
    }
  }
  return path;
}
