// The page: one pair of students, what a reader may do with it, and the views that follow.

import { button, html } from "../kit/elements.js";
import { fromAddress, toAddress } from "./address.js";
import { controlPanel, CONTROLS, PACES, STEPS_AT_ONCE, written } from "./controls.js";
import { drawDigitView } from "./draw_digit.js";
import { patterns, percentOf, shownGain } from "./drawing.js";
import { dataOf, examine, initial, LABEL_ONLY, labelled, LIVE, network, PIXELS, STEPS, teacherOf,
  toldOf } from "./engine.js";
import { aboutPart, headOf } from "./head.js";
import { raceView } from "./race.js";
import { seedsView } from "./seeds_view.js";
import { lessonImage, stageView } from "./stage.js";
import { storyPath } from "./story.js";
import { tabbed } from "./tabs.js";
import { recall } from "./trainer.js";
import { classesView, imagesView, lessonView, weightsView } from "./views.js";
import { startTrainer } from "./workers.js";

// The steps a second of the run with which the page opens.
const OPENING = 200;
const FOCUSABLE = "button, input, select, summary, canvas[tabindex]";

// Of two percentages, how the second is beside the first.
function compared(first, second) {
  const gain = shownGain(first, second);
  return gain > 1 ? "better" : gain < -1 ? "worse" : "about the same";
}

const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

function render({ model, el }) {
  const page = new Playground(model);
  el.append(page.element);
  page.open();
  return () => page.close();
}

class Playground {
  constructor(model) {
    this.model = model;
    this.packed = model.get("packed");
    this.stops = model.get("stops");
    this.stories = model.get("stories");
    this.standalone = model.get("standalone");
    this.data = dataOf(this.packed);
    this.pace = "normal";
    [this.run, this.turn] = [0, 0];
    const said = this.standalone ? location.hash.slice(1) : "";
    this.#take(fromAddress(said, model.get("settings"), this.stops), !said);
    this.hide = [...new Set([...model.get("hide"), ...this.hidden])];
    this.element = this.#build();
    this.trainer = startTrainer(this.packed, (told) => this.#hear(told));
  }

  // The state that an address or a story asks for.
  #take({ settings, changes, step, story, image, hide, problems }, fresh) {
    this.start = { ...settings };
    this.settings = { ...settings };
    for (const [, name, value] of changes) this.settings[name] = value;
    this.replay = { changes, step };
    this.changes = changes;
    this.story = this.stories.find(({ name }) => name === (fresh ? this.model.get("story") : story)) ?? null;
    this.prediction = null;
    this.hidden = hide;
    const known = image !== null && image >= 0 && image < this.data.test;
    // None chosen: at each beginning an image that the students learn from.
    this.image = known ? this.#testImage(image) : null;
    // In a notebook the page around it asks for a guess first.
    this.fresh = this.standalone && fresh && this.story !== null && !this.changed();
    this.complaint = problems.length ? `The link holds what cannot be used: ${problems.join(", ")}. ` : "";
  }

  open() {
    this.#begin(this.replay.step, this.replay.changes);
    this.#tell(`${this.complaint}Press Play, or choose a story.`);
    if (this.fresh) this.#playWhenSeen();
    if (this.standalone) {
      this.onHash = () => {
        if (location.hash.slice(1) === this.written) return;
        this.#take(fromAddress(location.hash.slice(1), this.model.get("settings"), this.stops), false);
        this.#begin(this.replay.step, this.replay.changes);
      };
      addEventListener("hashchange", this.onHash);
    }
    performance.mark("kdviz-first-picture");
    this.onSettings = () => this.#fromPython();
    this.model.on("change:settings", this.onSettings);
  }

  // Nobody meets an empty picture: the first story plays by itself, or stands there finished.
  #playWhenSeen() {
    const { run } = this;
    this.seen = new IntersectionObserver(([{ isIntersecting }]) => {
      if (!isIntersecting) return;
      this.seen.disconnect();
      if (this.run !== run || this.step > 0 || this.playing) return;
      this.#tell("One run of the first story, with nobody's guess.");
      if (calm()) this.#begin(STEPS);
      else this.#play(OPENING);
    });
    this.seen.observe(this.element);
  }

  close() {
    this.closed = true;
    this.seen?.disconnect();
    clearTimeout(this.addressing);
    this.trainer.close();
    this.views.forEach((view) => view.close?.());
    this.model.off("change:settings", this.onSettings);
    if (this.onHash) removeEventListener("hashchange", this.onHash);
    document.removeEventListener("keydown", this.onKey);
  }

  // --- The run ---

  #begin(until = 0, changes = []) {
    this.run += 1;
    this.start = { ...this.start, ...(changes.length ? {} : this.settings) };
    this.changes = changes;
    this.step = 0;
    this.playing = until > 0;
    [this.finished, this.why] = [false, false];
    const net = initial(this.start.width, this.start.seed);
    this.begun = net.weights;
    this.nets = [net, net];
    const exam = examine(net, this.data);
    this.said = [exam.said, exam.said];
    this.records = [{ step: 0, accuracy: [exam.accuracy, exam.accuracy], loss: [exam.loss, exam.loss] }];
    this.stopped = [{ step: 0, ...exam }, { step: 0, ...exam }];
    this.taught = this.#taught();
    const adviser = teacherOf(this.data, this.start);
    this.teacher = adviser.net;
    if (!this.image || this.image.lesson) this.image = this.#lessonImage(adviser);
    const teacherExam = examine(this.teacher, this.data);
    [this.teacherSaid, this.teacherAccuracy] = [teacherExam.said, teacherExam.accuracy];
    this.#ask({ wish: "begin", settings: this.start, changes, until, run: this.run });
    this.#show();
    this.#write();
    this.#draw();
  }

  // Which training images the students meet with a label, and how many of the labels are wrong.
  #taught() {
    const { data, start } = this, { labels: given } = teacherOf(data, start);
    const seen = Array.from({ length: data.train }, (_, row) => row).filter((row) =>
      data.truth[row] !== start.omit
    );
    const few = labelled(seen, data.truth, start.labels, start.seed);
    return { few, wrong: few.filter((row) => given[row] !== data.truth[row]).length, seen: seen.length };
  }

  // Of the wishes that the trainer answers with a report.
  #ask(message) {
    this.turn += 1;
    this.stepping = message.wish === "step";
    this.trainer.wish({ ...message, turn: this.turn });
  }

  #hear(told) {
    if (this.closed) return;
    if (told.kind === "problem") return this.#tell(`Training failed: ${told.text}. Press Reset.`);
    if (told.kind !== "state" || told.run !== this.run) return;
    this.records.splice(told.from, Infinity, ...told.records);
    this.step = told.step;
    this.said = told.said;
    this.stopped = told.stops;
    this.nets = told.weights.map((weights) => network(this.start.width, weights));
    this.changes = told.changes;
    // A report from before the last press of a button must not undo it.
    const stopped = told.turn === this.turn && (this.playing || this.stepping) && !told.playing;
    if (told.turn === this.turn) this.playing = told.playing;
    if (told.done && !this.finished) this.#finish();
    else if (stopped) this.#tell(`Paused at step ${told.step}.`);
    if (!this.playing) {
      this.path?.show();
      this.#write();
    }
    this.#soon();
  }

  #finish() {
    this.finished = true;
    const { omit } = this.start;
    // What the question is about: at last one of the digits that no student met.
    if (omit !== null && this.image.lesson) this.image = this.#testImage(this.#firstOf(omit));
    // The verdict stands in one place: below the story's question, where there is one.
    this.#tell(`Finished.${this.story && this.path ? "" : ` ${this.#verdict()}`}`);
    this.path?.show();
  }

  // The percentages that the question is about: of both students, and of the label-only one at its best
  // validation step.
  result() {
    const { omit } = this.start, onDigit = this.story?.measure === "recall" && omit !== null;
    const right = ({ said, accuracy }) => (onDigit ? recall(said, this.data, omit) : accuracy);
    const last = this.records.at(-1).accuracy;
    const [hard, soft] = this.said.map((said, who) => right({ said, accuracy: last[who] }));
    const stop = this.stopped[LABEL_ONLY];
    return { hard, soft, stopped: right(stop), step: stop.step, onDigit,
      where: onDigit ? `on the ${omit}s that it never saw` : "on the test images" };
  }

  #verdict() {
    const { hard, soft, stopped, step, where } = this.result();
    const first = compared(hard, soft), second = compared(stopped, soft);
    return `In this run the distilled student ends ${first} ${where}: ${percentOf(soft)} against ` +
      `${percentOf(hard)}; beside the label-only student stopped at its best step, ${step} ` +
      `(${percentOf(stopped)}), it is ${second}${first === second ? " too" : ""}.`;
  }

  // Whether the guess was right, the verdict, and once it was asked for, the reason.
  answer() {
    const { hard, soft } = this.result(), { prediction, story } = this;
    const right = prediction === compared(hard, soft) ? "right" : "wrong";
    const guessed = prediction ? `Your guess, ${prediction}, was ${right}. ` : "";
    return `${guessed}${this.#verdict()}${this.why && !this.changed() ? ` ${story.why}` : ""}`;
  }

  askLuck() {
    this.tabs.show(this.seeds);
    this.seeds.toggle();
    this.seeds.element.scrollIntoView({ block: "nearest" });
  }

  sayWhy() {
    this.why = true;
    this.path.show();
  }

  play() {
    if (this.finished) this.#begin();
    // On a phone the stage may be below the screen: it is what there is to see now.
    requestAnimationFrame(() =>
      this.element.querySelector(".stage svg")?.scrollIntoView({ block: "nearest" })
    );
    this.#tell("They learn.");
    this.#play(PACES[this.pace]);
  }

  #play(rate) {
    this.playing = true;
    this.#ask({ wish: "play", rate });
    this.path?.show();
    this.#soon();
  }

  pause() {
    this.#ask({ wish: "pause" });
  }

  stepOn() {
    if (this.playing) this.pause();
    if (!this.finished) this.#ask({ wish: "step", count: STEPS_AT_ONCE });
  }

  reset() {
    this.#begin();
    this.#tell("Back to step 0, with the same seed.");
  }

  setPace(pace) {
    this.pace = pace;
    this.trainer.wish({ wish: "pace", rate: PACES[pace] });
    this.#tell(`Speed: ${pace}.`);
  }

  predict(text) {
    this.#begin();
    this.prediction = text;
    this.play();
  }

  // --- The settings ---

  change(name, value) {
    if (this.settings[name] === value) return;
    this.settings = { ...this.settings, [name]: value };
    const text = CONTROLS.find((control) => control.name === name).text;
    const live = LIVE.includes(name);
    if (live && this.step > 0) {
      this.#ask({ wish: "set", name, value });
      const late = this.finished ? " (They are finished: Play again begins anew.)" : "";
      this.#tell(`${text} is now ${written(name, value)}; the students go on with it.${late}`);
    } else {
      const reset = this.step > 0 ? ": back to step 0, paused" : "";
      this.#begin();
      this.#tell(`${text} is now ${written(name, value)}${reset}.`);
    }
    this.#show();
    this.#toPython();
    this.#soon();
  }

  tellStory(story) {
    this.story = story;
    this.prediction = null;
    this.settings = { ...this.model.get("defaults"), ...story.settings, seed: this.settings.seed };
    this.image = null;
    this.#begin();
    this.#toPython();
    this.#tell(`${story.title}: paused at step 0. What do you expect?`);
  }

  #toPython() {
    if (this.standalone) return;
    this.sent = JSON.stringify(this.settings);
    this.model.set("settings", { ...this.settings });
    this.model.save_changes();
  }

  #fromPython() {
    const asked = this.model.get("settings");
    if (JSON.stringify(asked) === this.sent) return;
    this.settings = { ...asked };
    this.#begin();
  }

  // --- The image that is looked at ---

  #firstOf(digit) {
    return this.data.truth.subarray(this.data.train).indexOf(digit);
  }

  #imageAt(row) {
    const { grey, inputs, truth } = this.data, part = [row * PIXELS, (row + 1) * PIXELS];
    return { label: truth[row], grey: grey.slice(...part), inputs: inputs.slice(...part) };
  }

  #testImage(index) {
    const image = this.#imageAt(this.data.train + index);
    return { ...image, index, name: `Test image ${index}, a ${image.label}`, short: "a test image" };
  }

  // One that the students learn from, with what they hear of it.
  #lessonImage(adviser) {
    const { data, start } = this, { few } = this.taught, row = lessonImage(data, start, few, adviser);
    const image = this.#imageAt(row), label = adviser.labels[row];
    return { ...image, index: null, lesson: { label, told: toldOf(data, start, row, label) },
      name: `A training image, a ${image.label}`, short: `1 of ${few.length} labels` };
  }

  look(index, byKey = false) {
    if (this.image.index === index) return;
    this.image = this.#testImage(index);
    if (byKey) this.#tell(`${this.image.name}.`);
    this.#soon();
    if (!this.playing) this.#write();
  }

  lookAtDrawing(grey) {
    if (!grey) {
      this.image = this.#lessonImage(teacherOf(this.data, this.start));
      return this.#soon();
    }
    const inputs = Float64Array.from(grey, (value, pixel) => value / 16 - this.data.mean[pixel]);
    this.image = { index: null, label: null, grey, inputs, name: "Your drawing", short: "your drawing",
      drawn: true };
    this.#soon();
  }

  // --- The state in the address ---

  #state() {
    const { start: settings, changes, step, image, hide } = this;
    return { settings, changes, step, story: this.story?.name, image: image.index, hide };
  }

  #write() {
    this.written = toAddress(this.#state());
    this.link.value = `${this.standalone ? location.href.split("#")[0] : "playground.html"}#${this.written}`;
    if (!this.standalone) return;
    // Browsers refuse hundreds of new addresses within seconds, and a pointer over images asks for many.
    clearTimeout(this.addressing);
    this.addressing = setTimeout(() => history.replaceState(null, "", `#${this.written}`), 250);
  }

  async #copy() {
    this.#write();
    try {
      await navigator.clipboard.writeText(this.link.value);
      this.#tell("The link is copied. It holds every setting and the step.");
    } catch {
      this.link.select();
      const copied = document.execCommand("copy");
      this.#tell(
        copied ? "The link is copied. It holds every setting and the step." : "Copy the marked link.",
      );
    }
  }

  // --- Drawing ---

  // At most once a frame, and for those who asked for less motion not more than twice a second.
  #soon() {
    if (this.waiting) return;
    const draw = () => {
      this.waiting = false;
      if (!this.closed) this.#draw();
    };
    this.waiting = true;
    if (this.playing && calm()) setTimeout(draw, 500);
    else requestAnimationFrame(draw);
  }

  #draw() {
    this.controls.draw(this);
    try {
      this.views.forEach((view) => view.draw(this));
    } catch (problem) {
      this.#tell(`A picture could not be drawn: ${problem.message}`);
    }
  }

  #tell(text) {
    this.status.textContent = text;
  }

  // --- The parts of the page ---

  #build() {
    const shown = (name) => !this.hide.includes(name);
    this.status = html("p", { class: "status", role: "status", "aria-live": "polite" });
    const makers = {
      stage: () => stageView(),
      curves: () => raceView(),
      seeds: () => seedsView(this, (text) => this.#tell(text), () => this.path?.show()),
      draw: () =>
        drawDigitView(this.data.mean.reduce((sum, grey) => sum + 16 * grey, 0), (grey) =>
          this.lookAtDrawing(grey), (text) => this.#tell(text)),
      classes: () => classesView(),
      images: () => imagesView((index, byKey) => this.look(index, byKey)),
      lesson: () => lessonView(),
      weights: () => weightsView(),
    };
    const made = (names) => names.filter(shown).map((name) => makers[name]());
    const first = made(["stage", "curves"]);
    const behind = made(["seeds", "draw", "classes", "images", "lesson", "weights"]);
    this.seeds = shown("seeds") ? behind[0] : null;
    this.tabs = tabbed("More to see", behind.map((view) => [view.element.getAttribute("aria-label"), view]));
    this.views = [...first, this.tabs];
    this.path = shown("stories") ? storyPath(this, this.seeds) : null;
    this.controls = controlPanel(this, shown);
    const panel = html(
      "div",
      { class: "kdviz-playground" },
      patterns(),
      headOf(this.standalone),
      ...(this.path ? [this.path.element] : []),
      html("div", { class: "views" }, ...first.map((view) => view.element)),
      this.controls.element,
      this.status,
      this.tabs.element,
      ...this.#buildFoot(shown),
    );
    // A click anywhere on it takes the keys to it, and away from the notebook around it.
    if (!this.standalone) panel.tabIndex = -1;
    // JupyterLab asks the element with the focus itself, not what is around it, whether its keys are its own.
    for (const one of [panel, ...panel.querySelectorAll(FOCUSABLE)]) one.dataset.lmSuppressShortcuts = "true";
    this.onKey = (event) => this.#key(event);
    (this.standalone ? document : panel).addEventListener("keydown", this.onKey);
    return panel;
  }

  #show() {
    this.controls.show(this.settings, this.model.get("defaults"));
    this.path?.show();
  }

  // Whether the settings are no longer those of the story.
  changed() {
    return Object.entries({ ...this.model.get("defaults"), ...this.story.settings }).some(
      ([name, value]) => name !== "seed" && this.settings[name] !== value,
    );
  }

  #buildFoot(shown) {
    this.link = html("input", { type: "text", readonly: "", "aria-label": "Link to this state" });
    const copy = button("Copy link", () => this.#copy(), { class: "copy plain" });
    const foot = [];
    if (shown("about")) foot.push(aboutPart(this.data, STEPS_AT_ONCE));
    if (shown("link") && this.standalone) foot.push(html("div", { class: "share" }, copy, this.link));
    return foot;
  }

  #key(event) {
    const inside = event.target instanceof Element &&
      event.target.closest("input, select, textarea, canvas, button, summary, a");
    const typing = inside &&
      !(inside.matches("button, summary, a") && event.key !== " " && event.key !== "Enter");
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    const act =
      { " ": () => (this.playing ? this.pause() : this.play()), ArrowRight: () => this.stepOn(),
        r: () => this.reset() }[
          event.key.length === 1 ? event.key.toLowerCase() : event.key
        ];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  }
}

export default { render };
