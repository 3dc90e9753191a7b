// Elements and controls.

const SVG = "http://www.w3.org/2000/svg";
// Who is who.
export const TEACHER = "#0072b2", STUDENT = "#d55e00", BASELINE = "#5f5f5f", INK = "#222222";

export function html(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(element, attributes, children) {
  setAttributes(element, attributes);
  element.append(...children);
  return element;
}

export function setAttributes(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "number" && !Number.isFinite(value)) {
      throw new Error(`${element.tagName} got ${name} = ${value}`);
    }
    // Setting even the same value again would make the browser lay the element out anew.
    if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
  }
}

export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function words(x, y, text, attributes = {}) {
  return svg("text", { x, y, ...attributes }, text);
}

// A picture in units of its own, which the page makes as large as there is room.
export function svgPicture(width, height, label, ...children) {
  return svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label }, ...children);
}

// A pattern of oblique stripes, and the paint that is made of it: `url(#...)`, of its own for each view.
export function stripes(size, ...children) {
  const id = `kdviz-stripes-${Math.random().toString(36).slice(2)}`;
  const room = { width: size, height: size, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" };
  return { pattern: svg("defs", {}, svg("pattern", { id, ...room }, ...children)), paint: `url(#${id})` };
}

export function tableRow(tag, cells, attributes = {}) {
  return html("tr", attributes, ...cells.map((cell) => html(tag, {}, cell)));
}

export function headRow(names) {
  return html("tr", {}, ...names.map((name) => html("th", { scope: "col" }, name)));
}

// ---- Controls ----

// JupyterLab takes the arrow keys and the space bar from any element that does not say this itself.
export function keepKeys(element) {
  element.dataset.lmSuppressShortcuts = "true";
  return element;
}

export function button(text, onClick, attributes = {}) {
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

// A list to choose from, with its name.
export function choice(text, options, onChange, label = text) {
  const select = dropDown(label, options, onChange);
  return { select, element: html("label", { class: "knob" }, html("span", {}, text), select) };
}

export function checkbox(text, onChange, className = "switch") {
  const input = keepKeys(html("input", { type: "checkbox" }));
  input.addEventListener("change", () => onChange(input.checked));
  return { input, element: html("label", { class: className }, input, text) };
}

// A slider, and beside it what it says.
export function slide(text, attributes, onInput, output = html("output")) {
  const input = keepKeys(html("input", { type: "range", step: 1, "aria-label": text, ...attributes }));
  input.addEventListener("input", () => onInput(Number(input.value)));
  // The value may also come from Python, or from a second view.
  const show = (index, described, spoken = described) => {
    input.value = index;
    setText(output, described);
    setAttributes(input, { "aria-valuetext": spoken });
  };
  return { input, output, show };
}

export function knob(text, attributes, onInput) {
  const { input, output, show } = slide(text, attributes, onInput);
  return { input, show, element: html("label", { class: "knob" }, text, input, output) };
}

// The arrow keys on an element: `move(across, down)`, of which one is 1 or -1 and the other 0.
export function onArrows(element, move) {
  const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  onKeys(element, Object.fromEntries(Object.keys(ways).map((key) => [key, () => move(...ways[key])])));
}

// Keys that an element answers to, and that nobody around it hears of.
export function onKeys(element, acts) {
  element.addEventListener("keydown", (event) => {
    if (!Object.hasOwn(acts, event.key)) return;
    event.preventDefault();
    event.stopPropagation();
    acts[event.key]();
  });
}

// Arrow keys move the choice through those of a group that can be seen; one of them is reached by tab.
function chooseByKeys(elements, choose) {
  const seen = () => [...elements.keys()].filter((i) => !elements[i].hidden);
  const goTo = (index) => {
    choose(index);
    elements[index].focus();
  };
  elements.forEach((element, index) => {
    keepKeys(element).addEventListener("click", () => choose(index));
    onArrows(element,
      (across, down) => goTo(seen().at((seen().indexOf(index) + across + down) % seen().length)));
    const here = () => goTo(index);
    onKeys(element, { Home: () => goTo(seen()[0]), End: () => goTo(seen().at(-1)), " ": here, Enter: here });
  });
}

export function markChosen(elements, chosen) {
  elements.forEach((element, index) => {
    setAttributes(element, { "aria-checked": index === chosen, tabindex: index === chosen ? 0 : -1 });
  });
}

export function radio(content, attributes = {}) {
  return html("button", { type: "button", role: "radio", ...attributes }, content);
}

// Radio buttons, or parts of a picture, of which one is chosen; `markChosen` says which.
export function radioGroup(label, className, buttons, choose, make = html, tag = "div") {
  chooseByKeys(buttons, choose);
  return make(tag, { class: className, role: "radiogroup", "aria-label": label }, ...buttons);
}

// A row of such buttons, one for each name, after a word that says what they are.
export function chooser(label, names, choose, word = "") {
  const buttons = names.map((name) => radio(name));
  const element = radioGroup(label, "chooser", buttons, choose);
  if (word) element.prepend(html("span", {}, word));
  // One name leaves nothing to choose.
  element.hidden = names.length < 2;
  return { element, buttons, draw: (chosen) => markChosen(buttons, chosen) };
}
