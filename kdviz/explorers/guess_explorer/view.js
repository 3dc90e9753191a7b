// A guess, committed before the result is seen, and answered then.

import { button, html, keepKeys } from "../kit/elements.js";
import { follow, save } from "../kit/panel.js";

function render({ model, el }) {
  const legend = html("legend", { class: "question" }, model.get("question"));
  const commit = button("Commit", () => save(model, "committed", true), { class: "commit" });
  const answer = html("p", { class: "answer", role: "status" });

  // Radio buttons of one name exclude each other across the whole page, so each view needs its own.
  const group = `kdviz-guess-${Math.random().toString(36).slice(2)}`;
  const radios = model.get("choices").map((choice) => {
    const made = keepKeys(html("input", { type: "radio", name: group, value: choice }));
    made.addEventListener("change", () => save(model, "choice", choice));
    return made;
  });
  const labels = radios.map((made) => html("label", { class: "choice" }, made, html("span", {}, made.value)));

  // What is said once a guess is committed: the verdict with its mark, and why.
  function said(choice, right) {
    const why = model.get("because");
    if (right === undefined) return [`You said: ${choice}. `, why || "Run the next cell."];
    const verdict = html("strong", {}, right ? "✔ Right." : "✘ Not this time.");
    return [verdict, right ? ` ${why}` : ` You said “${choice}”; it is “${model.get("answer")}”. ${why}`];
  }

  function draw() {
    const choice = model.get("choice") ?? null, committed = model.get("committed");
    for (const made of radios) {
      made.checked = made.value === choice;
      made.disabled = committed;
    }
    commit.disabled = choice === null || committed;
    panel.classList.toggle("committed", committed);
    if (!committed) return answer.replaceChildren();
    const right = model.get("answer") ? choice === model.get("answer") : undefined;
    for (const made of radios) {
      made.parentElement.classList.toggle("right", made.value === model.get("answer"));
    }
    answer.replaceChildren(...said(choice, right));
    // The page around may unfold what follows, and count.
    const detail = { question: model.get("question"), choice, right };
    panel.dispatchEvent(new CustomEvent("kdviz-guess", { bubbles: true, detail }));
  }

  const fieldset = html("fieldset", { class: "choices" }, legend, ...labels);
  const panel = html("div", { class: "kdviz-guess" }, fieldset, commit, answer);
  el.append(panel);
  draw();
  return follow(model, ["choice", "committed"], draw);
}

export default { render };
