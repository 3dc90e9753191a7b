// The page: one pair of students, what a reader may do with it, and the views that follow.

import { button, html, svg } from "../kit/elements.js";
import { signed } from "../kit/numbers.js";
import { fromAddress, toAddress } from "./address.js";
import { CONTROLS, makeControl, written } from "./controls.js";
import { drawDigitView } from "./draw_digit.js";
import { ADVISER, patterns, percentOf, shownGain, SIDE, STUDENTS } from "./drawing.js";
import { dataOf, examine, initial, LABEL_ONLY, labelled, LIVE, network, PIXELS, STEPS } from "./engine.js";
import { SEEDS, seedsView } from "./seeds_view.js";
import { recall } from "./trainer.js";
import { classesView, curvesView, imagesView, lessonView, softTargetsView, weightsView } from "./views.js";
import { startTrainer } from "./workers.js";

const PACES = { slow: 12, normal: 60, fast: 5000 };
const STEPS_AT_ONCE = 5;
const FOCUSABLE = "button, input, select, summary, canvas[tabindex]";

function about({ truth, train, test, teachers }) {
  return (
    `The task is to read handwritten digits of ${SIDE} × ${SIDE} pixels. The teacher, a network with ` +
    `${teachers.get(0).net.hidden} ` +
    `hidden units, has learned from ${train} labelled images and then stands still. The two students are smaller. They start ` +
    "with the same weights and meet the same images in the same batches (with unlabelled images, the distilled student " +
    "meets more). The label-only student learns from labels alone; the distilled student also tries to match the teacher's " +
    "probabilities, made softer by the temperature T. Its loss is (1 − w) × cross-entropy + w × T² × KL divergence, where " +
    `w is the weight of the teacher. Both take ${STEPS} steps of Adam, whose learning rate falls along a cosine. All accuracies are measured on ` +
    `${test} test images that neither teacher nor students learned from. A student's best step is ` +
    `chosen on ${truth.length - train - test} other ` +
    "images, the validation images (without the digit that is left out), and measured on the test images. In every picture blue and solid is " +
    "the teacher, grey and dotted the label-only student, orange and dashed or striped the distilled student. Wrong labels " +
    "are wrong for the teacher too; that teacher stopped early, before it knew them by heart. A single run may be luck: " +
    `that is what the ${SEEDS} seeds are for.`
  );
}

// Of two percentages, how the second is beside the first.
function compared(first, second) {
  const gain = shownGain(first, second);
  return gain > 1 ? "better" : gain < -1 ? "worse" : "about the same";
}

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
    this.image = this.#testImage(known ? image : this.#firstImage());
    this.complaint = problems.length ? `The link holds what cannot be used: ${problems.join(", ")}. ` : "";
  }

  open() {
    this.#begin(this.replay.step, this.replay.changes);
    this.#tell(`${this.complaint}Press Play, or choose a story.`);
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

  close() {
    this.closed = true;
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
    this.finished = false;
    const net = initial(this.start.width, this.start.seed);
    this.begun = net.weights;
    this.nets = [net, net];
    const exam = examine(net, this.data);
    this.said = [exam.said, exam.said];
    this.records = [{ step: 0, accuracy: [exam.accuracy, exam.accuracy], loss: [exam.loss, exam.loss] }];
    this.stopped = [{ step: 0, ...exam }, { step: 0, ...exam }];
    this.taught = this.#taught();
    this.teacher = this.data.teachers.get(this.start.label_noise).net;
    const teacherExam = examine(this.teacher, this.data);
    [this.teacherSaid, this.teacherAccuracy] = [teacherExam.said, teacherExam.accuracy];
    this.#ask({ wish: "begin", settings: this.start, changes, until, run: this.run });
    this.#showControls();
    this.#showStory();
    this.#write();
    this.#draw();
  }

  // Which training images the students meet with a label, and how many of the labels are wrong.
  #taught() {
    const { data, start } = this, { labels: given } = data.teachers.get(start.label_noise);
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
    if (!this.playing) this.#write();
    this.#soon();
  }

  #finish() {
    this.finished = true;
    // A number stands in one place: with the story's question, where there is one.
    const replied = this.story && this.storyPart;
    this.#tell(`Finished. ${replied ? "What came out stands below the question." : this.#verdict()}`);
    this.#answer();
  }

  // What came out against both rivals: the label-only student at its end, and at its best validation step.
  #verdict() {
    const { omit } = this.start, onDigit = this.story?.measure === "recall" && omit !== null;
    const right = ({ said, accuracy }) => (onDigit ? recall(said, this.data, omit) : accuracy);
    const [hard, soft] = this.said.map((said, who) =>
      right({ said, accuracy: this.records.at(-1).accuracy[who] })
    );
    const stop = this.stopped[LABEL_ONLY], stopped = right(stop);
    const where = onDigit ? `on the ${omit}s that it never saw` : "on the test images";
    return (
      `In this run it is ${compared(hard, soft)} ${where}: ${percentOf(hard)} (label-only) and ` +
      `${percentOf(soft)} (distilled), ${
        signed(shownGain(hard, soft))
      } points. Stopped at its best validation step, ${stop.step}, ` +
      `the label-only student has ${percentOf(stopped)}: against that, the distilled student is ` +
      `${compared(stopped, soft)}, ${signed(shownGain(stopped, soft))} points.`
    );
  }

  play() {
    if (this.finished) this.#begin();
    // On a phone the curves may be below the screen: they are what there is to see now.
    requestAnimationFrame(() =>
      this.element.querySelector(".curves svg")?.scrollIntoView({ block: "nearest" })
    );
    this.playing = true;
    this.#ask({ wish: "play", rate: PACES[this.pace] });
    this.#tell("They learn.");
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
    this.#showControls();
    this.#showStory();
    this.#toPython();
    this.#soon();
  }

  tellStory(story) {
    this.story = story;
    this.prediction = null;
    this.settings = { ...this.model.get("defaults"), ...story.settings, seed: this.settings.seed };
    this.image = this.#testImage(this.#firstImage());
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

  // One of the digit that is left out: it is what the question is about.
  #firstImage() {
    const { truth, train } = this.data, { omit } = this.settings;
    return omit === null ? 0 : truth.subarray(train).indexOf(omit);
  }

  #testImage(index) {
    const { data } = this, row = data.train + index, label = data.truth[row];
    const part = [row * PIXELS, (row + 1) * PIXELS];
    return { index, label, grey: data.grey.slice(...part), inputs: data.inputs.slice(...part),
      name: `Test image ${index}, a ${label}` };
  }

  look(index, byKey = false) {
    if (this.image.index === index) return;
    this.image = this.#testImage(index);
    if (byKey) this.#tell(`${this.image.name}.`);
    this.#soon();
    if (!this.playing) this.#write();
  }

  lookAtDrawing(grey) {
    if (!grey) return this.look(0);
    const inputs = Float64Array.from(grey, (value, pixel) => value / 16 - this.data.mean[pixel]);
    this.image = { index: null, label: null, grey, inputs, name: "Your drawing" };
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
    const calm = this.playing && matchMedia("(prefers-reduced-motion: reduce)").matches;
    const draw = () => {
      this.waiting = false;
      if (!this.closed) this.#draw();
    };
    this.waiting = true;
    if (calm) setTimeout(draw, 500);
    else requestAnimationFrame(draw);
  }

  #draw() {
    this.playButton.textContent = this.playing ? "Pause" : this.finished ? "Play again" : "Play";
    this.stepButton.disabled = this.finished;
    this.counter.textContent = `step ${this.step} of ${STEPS}`;
    this.meter.value = this.step;
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
      curves: () => curvesView(),
      seeds: () => seedsView(this, (text) => this.#tell(text)),
      soft_targets: () => softTargetsView(),
      classes: () => classesView(),
      lesson: () => lessonView(),
      images: () => imagesView((index, byKey) => this.look(index, byKey)),
      draw: () =>
        drawDigitView(this.data.mean.reduce((sum, grey) => sum + 16 * grey, 0), (grey) =>
          this.lookAtDrawing(grey), (text) => this.#tell(text)),
      weights: () => weightsView(),
    };
    const columns = [["curves", "seeds"], ["soft_targets", "classes", "lesson"], ["images", "draw",
      "weights"]].map((names) => names.filter(shown).map((name) => makers[name]()));
    this.views = columns.flat();
    const stacked = columns.filter((column) => column.length).map((column) =>
      html("div", {}, ...column.map((view) => view.element))
    );
    const panel = html(
      "div",
      { class: "kdviz-playground" },
      patterns(),
      this.#buildHead(),
      ...(shown("stories") ? [this.#buildStories()] : []),
      this.#buildControls(shown),
      this.status,
      html("div", { class: "views" }, ...stacked),
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

  #buildHead() {
    const swatch = ({ name, colour, dash, fill }) =>
      html(
        "li",
        {},
        svg(
          "svg",
          { viewBox: "0 0 52 14", width: 52, height: 14, "aria-hidden": "true" },
          svg("line", { x1: 0, x2: 30, y1: 7, y2: 7, stroke: colour, "stroke-width": 3,
            "stroke-dasharray": dash }),
          svg("rect", { x: 36, y: 1, width: 14, height: 12, fill }),
        ),
        name,
      );
    const head = html("header", {});
    if (this.standalone) head.append(html("h1", {}, "The distillation playground"));
    head.append(
      html("p", { class: "lead" },
        "Two students start alike. One learns from labels; the other also from a teacher's answers. Press Play."),
      html("ul", { class: "legend", "aria-label": "Who is who" }, ...[ADVISER, ...STUDENTS].map(swatch)),
    );
    return head;
  }

  #buildStories() {
    this.storyButtons = this.stories.map((story) => {
      const button = html("button", { type: "button", class: "story", "data-story": story.name },
        story.title);
      button.addEventListener("click", () => this.tellStory(story));
      return button;
    });
    this.question = html("p", { class: "question" });
    this.reply = html("p", { class: "reply", "aria-live": "polite" });
    this.predictions = ["better", "about the same", "worse"].map((text) => {
      const button = html("button", { type: "button", class: "predict plain", "data-prediction": text },
        text);
      if (text === "about the same") button.append(" (± 1 point)");
      button.addEventListener("click", () => this.#predict(text));
      return button;
    });
    const ask = html("div", { class: "predictions", role: "group",
      "aria-label": "Your prediction; it begins the run" },
      html("span", {}, "At the end the distilled student will be"), ...this.predictions);
    this.storyPanel = html("div", { class: "story-panel" }, this.question, ask, this.reply);
    const bar = html("nav", { class: "stories", "aria-label": "Stories" }, html("span", {}, "Stories:"),
      ...this.storyButtons);
    this.storyPart = html("div", {}, bar, this.storyPanel);
    this.#showStory();
    return this.storyPart;
  }

  #predict(text) {
    this.#begin();
    this.prediction = text;
    this.play();
    this.#answer();
  }

  #showStory() {
    if (!this.storyPart) return;
    this.storyButtons.forEach((button) =>
      button.setAttribute("aria-pressed", button.dataset.story === this.story?.name)
    );
    this.storyPanel.hidden = !this.story;
    if (!this.story) return;
    this.question.textContent = this.story.question +
      (this.#changed() ? " (You have changed its settings.)" : "");
    this.#answer();
  }

  // What came out, beside what was expected.
  #answer() {
    if (!this.story || !this.storyPart) return;
    this.predictions.forEach((button) =>
      button.setAttribute("aria-pressed", button.dataset.prediction === this.prediction)
    );
    if (!this.finished) {
      this.reply.textContent = this.prediction ? `You expect: ${this.prediction}.` : "";
      return;
    }
    const expected = this.prediction ? `You expected: ${this.prediction}. ` : "";
    const why = this.story.why && !this.#changed() ? ` ${this.story.why}` : "";
    this.reply.textContent = `${expected}${this.#verdict()}${why}`;
  }

  // Whether the settings are no longer those of the story.
  #changed() {
    return Object.entries({ ...this.model.get("defaults"), ...this.story.settings }).some(
      ([name, value]) => name !== "seed" && this.settings[name] !== value,
    );
  }

  #buildControls(shown) {
    this.playButton = button("Play", () => (this.playing ? this.pause() : this.play()), { title: "Space",
      class: "play" });
    this.stepButton = button("Step", () => this.stepOn(), {
      title: `${STEPS_AT_ONCE} batches (right arrow)`,
      class: "plain",
    });
    const reset = button("Reset", () => this.reset(), { title: "Back to step 0 (R)", class: "plain" });
    const pace = html("select", { "aria-label": "Speed" },
      ...Object.keys(PACES).map((name) => html("option", {}, name)));
    pace.value = this.pace;
    pace.addEventListener("change", () => {
      this.pace = pace.value;
      this.trainer.wish({ wish: "pace", rate: PACES[this.pace] });
      this.#tell(`Speed: ${this.pace}.`);
    });
    this.counter = html("span", { class: "counter" });
    this.meter = html("progress", { max: STEPS, value: 0, "aria-label": "Training steps done" });
    const transport = html(
      "div",
      { class: "transport" },
      this.playButton,
      this.stepButton,
      reset,
      pace,
      html("div", { class: "count" }, this.counter, this.meter),
    );
    this.controls = new Map();
    const made = (folded) =>
      CONTROLS.filter((control) => Boolean(control.folded) === folded && shown(control.name)).map(
        (control) => {
          const one = makeControl(control, this.stops[control.name], (name, value) =>
            this.change(name, value));
          this.controls.set(control.name, one);
          return one.element;
        },
      );
    const main = html("div", { class: "main" }, transport, ...made(false));
    const folded = made(true);
    this.more = html("details", { class: "more" }, html("summary", {}, "More settings"),
      html("div", { class: "folded" }, ...folded));
    return html("div", { class: "controls" }, main, ...(folded.length ? [this.more] : []));
  }

  #showControls() {
    for (const [name, control] of this.controls) control.show(this.settings[name]);
    const unusual = CONTROLS.filter(({ name, folded }) =>
      folded && name !== "seed" && this.settings[name] !== this.model.get("defaults")[name]
    );
    const names = unusual.map((
      { name, text },
    ) => (this.settings[name] === true ? text : `${text}: ${written(name, this.settings[name])}`));
    this.more.querySelector("summary").textContent = `More ` +
      `settings${names.length ? ` (${names.join("; ")})` : ""}`;
  }

  #buildFoot(shown) {
    this.link = html("input", { type: "text", readonly: "", "aria-label": "Link to this state" });
    const copy = html("button", { type: "button", class: "copy plain" }, "Copy link");
    copy.addEventListener("click", () => this.#copy());
    const told = html("details", { class: "about" }, html("summary", {}, "What am I looking at?"),
      html("p", {}, about(this.data)),
      html("p", {}, `Keys: Space plays and pauses, the right arrow takes ${STEPS_AT_ONCE} steps, R resets.`));
    const foot = [];
    if (shown("about")) foot.push(told);
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
