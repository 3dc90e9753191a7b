// A guess, committed before the result is seen.

let radioGroups = 0;

function element(tag, className, text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

function render({ model, el }) {
  const panel = element("div", "kdviz-prediction");
  const fieldset = element("fieldset", "choices");
  const legend = element("legend", "question", model.get("question"));
  const commit = element("button", "commit", "Commit");
  const answer = element("p", "answer");
  answer.setAttribute("role", "status");
  commit.type = "button";
  commit.dataset.lmSuppressShortcuts = "true";

  // Radio buttons of one name exclude each other across the whole page, so each view needs its own.
  const group = `kdviz-prediction-${radioGroups++}-${Math.random().toString(36).slice(2)}`;
  const radios = model.get("choices").map((choice) => {
    const radio = element("input", "");
    Object.assign(radio, { type: "radio", name: group, value: choice });
    radio.dataset.lmSuppressShortcuts = "true";
    radio.addEventListener("change", () => {
      model.set("choice", choice);
      model.save_changes();
    });
    return radio;
  });
  const labels = radios.map((radio) => {
    const label = element("label", "choice");
    label.append(radio, element("span", "", radio.value));
    return label;
  });
  commit.addEventListener("click", () => {
    model.set("committed", true);
    model.save_changes();
  });

  function draw() {
    const { choice, committed, reveal } = read(model);
    for (const radio of radios) {
      radio.checked = radio.value === choice;
      radio.disabled = committed;
    }
    commit.disabled = choice === null || committed;
    panel.classList.toggle("committed", committed);
    answer.textContent = committed ? `You said: ${choice}. ${reveal ?? "Run the next cell."}` : "";
  }

  fieldset.append(legend, ...labels);
  panel.append(fieldset, commit, answer);
  el.append(panel);
  draw();
  model.on("change:choice", draw);
  model.on("change:committed", draw);
  return () => {
    model.off("change:choice", draw);
    model.off("change:committed", draw);
  };
}

function read(model) {
  const names = ["choice", "committed", "reveal"];
  return Object.fromEntries(names.map((name) => [name, model.get(name) ?? null]));
}

export default { render };
