// An explorer on the page: its panel, the traits that it follows, and when it draws.

import { html, setText } from "./elements.js";

export function save(model, name, value) {
  model.set(name, value);
  model.save_changes();
}

// The values of some traits, by name.
export function traitsOf(model, names) {
  return Object.fromEntries(names.map((name) => [name, model.get(name)]));
}

// Draws again whenever one of the traits changes. What is returned ends that.
export function follow(model, traits, draw) {
  for (const trait of traits) model.on(`change:${trait}`, draw);
  return () => {
    for (const trait of traits) model.off(`change:${trait}`, draw);
  };
}

// A kernel that restarts forgets the widget, and tells only this event: the page goes on as one without a kernel.
export function whenRestarted(model, state) {
  const message = "The kernel was restarted, and what trained in it has ended. Run this cell again to train.";
  model.on("comm_live_update", () => {
    for (const [name, value] of Object.entries({ ...state, live: false, message })) model.set(name, value);
  });
}

// What goes wrong in an action is told in an element of the panel.
export function guardedBy(place, what, action) {
  return (...given) => {
    try {
      return action(...given);
    } catch (error) {
      place.textContent = `The ${what} could not be drawn: ${error.message}`;
    }
  };
}

// Puts a panel on the page. Below it stands what last went wrong in the actions that it guards.
export function openPanel(el, name, assemble) {
  const trouble = html("p", { class: "trouble", role: "alert" });
  const root = html("div", { class: name });
  const guarded = (action) =>
    guardedBy(trouble, "explorer", (...given) => {
      setText(trouble, "");
      return action(...given);
    });
  el.append(root);
  const end = guarded(assemble)(root, guarded);
  root.append(trouble);
  return end;
}

// Sets traits for what a reader moves. Python is told when the reader rests: talking to it at every move would
// cost frames; while something plays (`save: false`) it is told only where that stopped.
export function restingChange(model) {
  let resting = null;
  const change = (values, { save: told = true } = {}) => {
    for (const [name, value] of Object.entries(values)) model.set(name, value);
    clearTimeout(resting);
    if (told) resting = setTimeout(() => model.save_changes(), 100);
  };
  const end = () => {
    clearTimeout(resting);
    model.save_changes();
  };
  return { change, end };
}

// A drawing that follows traits and the width of the panel, once a frame however many of them change. All
// parts of it are drawn with the height of a letter and their own width.
export function drawnByFrame({ model, traits, root, panel, parts, look, guarded, after = () => {} }) {
  let frame = null;
  const draw = guarded(() => {
    frame = null;
    if (panel.clientWidth === 0) return;
    const view = look();
    const em = parseFloat(getComputedStyle(panel).fontSize);
    // All widths are read before anything is written, so the browser lays the page out once a frame.
    const widths = parts.map((part) => part.element.clientWidth);
    parts.forEach((part, i) => part.draw(view, { em, width: widths[i] }));
    after(view);
  });
  const schedule = () => {
    frame ??= requestAnimationFrame(draw);
  };
  const unfollow = follow(model, traits, schedule);
  const observer = new ResizeObserver(schedule);
  observer.observe(root);
  draw();
  const end = () => {
    observer.disconnect();
    cancelAnimationFrame(frame);
    unfollow();
  };
  return { schedule, end };
}
