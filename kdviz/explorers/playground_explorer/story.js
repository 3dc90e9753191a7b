// A story is a path: a question, a guess, a run, the verdict, whether it was luck, why, and the next one. At
// each place of it one button stands out: the one that leads on.

import { button, html, setText } from "../kit/elements.js";
import { SEEDS } from "./seeds_view.js";

const PLACES = ["Guess", "Run", "Verdict", "Was it luck?", "Why"];
const GUESSES = ["better", "about the same", "worse"];

// `seeds` is the view of many seeds, null where it is hidden.
export function storyPath(page, seeds) {
  const chips = page.stories.map((story) =>
    button(story.title, () => page.tellStory(story), { class: "story plain" })
  );
  const places = PLACES.map((name) => html("li", {}, name));
  const question = html("p", { class: "question" });
  const reply = html("p", { class: "reply", "aria-live": "polite" });
  const guesses = GUESSES.map((text) => {
    const made = button(text, () => page.predict(text), { class: "predict plain" });
    if (text === "about the same") made.append(" (± 1 point)");
    return made;
  });
  const ask = html("div", { class: "predictions", role: "group",
    "aria-label": "Your guess; it begins the run" },
    html("span", {}, "At the end the distilled student will be"), ...guesses);
  const main = button("", () => next().act(), { class: "main-button" });
  const panel = html("div", { class: "story-panel" },
    html("ol", { class: "path", "aria-label": "The path of a story" }, ...places), question, ask, reply,
    main);

  // Where the path has come to: its number among the places, and what leads on.
  function next() {
    const { finished, playing, step, prediction, story } = page;
    if (!finished) {
      if (playing) return { place: 1, text: "Pause the run", act: () => page.pause() };
      if (step === 0 && !prediction) return { place: 0, text: "" };
      return { place: 1, text: "Go on", act: () => page.play() };
    }
    const luck = seeds?.state();
    if (luck === "running") return { place: 3, text: "Stop", act: () => seeds.toggle() };
    if (luck === "none") {
      return { place: 2, text: `Was it luck? Run ${SEEDS} seeds`, act: () => page.askLuck() };
    }
    if (!page.why) return { place: seeds ? 3 : 2, text: "Why?", act: () => page.sayWhy() };
    const following = page.stories[(page.stories.indexOf(story) + 1) % page.stories.length];
    return { place: 4, text: `Next: ${following.title}`, act: () => page.tellStory(following) };
  }

  function show() {
    const { story, prediction, finished } = page;
    chips.forEach((chip, i) => chip.setAttribute("aria-pressed", page.stories[i] === story));
    panel.hidden = !story;
    if (!story) return;
    const { place, text } = next();
    places.forEach((one, i) => {
      one.className = i < place ? "past" : "";
      if (i === place) one.setAttribute("aria-current", "step");
      else one.removeAttribute("aria-current");
    });
    setText(question, story.question + (page.changed() ? " (You have changed its settings.)" : ""));
    ask.hidden = place > 0;
    main.hidden = !text;
    setText(main, text);
    setText(reply, finished ? page.answer() : prediction ? `You expect: ${prediction}.` : "");
  }
  return {
    element: html("div", { class: "stories-part" },
      html("nav", { class: "stories", "aria-label": "Stories" }, ...chips), panel),
    show,
  };
}
