// What a reader has guessed and solved so far.

import { html } from "../kit/elements.js";
import { follow } from "../kit/panel.js";

const MARKS = { right: "✔", wrong: "✘", "": "·" };

// "3 of 5 right, 1 not yet done", after a mark for each.
function tallyRow(name, done, empty) {
  const outcomes = Object.values(done), right = outcomes.filter((each) => each === "right").length;
  const open = outcomes.filter((each) => each === "").length;
  const marks = outcomes.map((each) => html("b", { class: each || "open" }, MARKS[each]));
  const told = open === outcomes.length ?
    empty
    : `${right} of ${outcomes.length} right${open ? `, ${open} not yet done` : ""}`;
  return html("p", {}, html("span", { class: "name" }, name),
    html("span", { class: "marks", "aria-hidden": true }, ...marks), html("span", {}, told));
}

function render({ model, el }) {
  const rows = html("div", { role: "status" });
  const where = "Only you see this: it is kept in this notebook, or in this browser, and is sent nowhere.";
  el.append(
    html("div", { class: "kdviz-tally" }, html("p", { class: "title" }, "Your score on this page"), rows,
      html("p", { class: "where" }, where)),
  );

  function draw() {
    const predictions = model.get("predictions"), exercises = model.get("exercises");
    rows.replaceChildren(
      ...Object.keys(predictions).length ? [tallyRow("Predictions", predictions, "none committed yet")] : [],
      ...Object.keys(exercises).length ? [tallyRow("Exercises", exercises, "none checked yet")] : [],
    );
  }

  // On a page without kernel nobody else counts what is committed.
  function hear({ detail: { question, right } }) {
    const predictions = model.get("predictions");
    if (!(question in predictions) || predictions[question]) return;
    model.set("predictions", { ...predictions, [question]: right ? "right" : "wrong" });
  }

  document.addEventListener("kdviz-guess", hear);
  draw();
  const unfollow = follow(model, ["predictions", "exercises"], draw);
  return () => {
    document.removeEventListener("kdviz-guess", hear);
    unfollow();
  };
}

export default { render };
