// The static host: gives an explorer's `render` the same model interface as anywidget does, on a
// page without a kernel. It is appended to the explorer's own module, so it shares that scope and
// nothing else: several explorers on a page do not meet.
class StaticModel {
  #state;
  #listeners = new Map();

  constructor(state) {
    this.#state = state;
  }

  get(name) {
    return this.#state[name];
  }

  set(name, value) {
    if (Object.is(this.#state[name], value)) return;
    this.#state[name] = value;
    this.#tell(`change:${name}`);
    this.#tell("change");
  }

  on(event, listener) {
    this.#listeners.set(event, [...(this.#listeners.get(event) ?? []), listener]);
  }

  off(event, listener) {
    const kept = (this.#listeners.get(event) ?? []).filter((each) => listener && each !== listener);
    this.#listeners.set(event, kept);
  }

  // There is no kernel to tell.
  save_changes() {}

  #tell(event) {
    for (const listener of this.#listeners.get(event) ?? []) listener();
  }
}

// biome-ignore lint/correctness/noUnusedVariables: the page calls it, in a line that Python adds
function mountExplorers(name, render) {
  const waiting = `[data-kdviz-explorer="${name}"]:not([data-mounted])`;
  for (const place of document.querySelectorAll(waiting)) {
    place.dataset.mounted = "";
    const state = JSON.parse(place.querySelector("script[type=\"application/json\"]").textContent);
    place.replaceChildren();
    render({ model: new StaticModel(state), el: place });
  }
}
