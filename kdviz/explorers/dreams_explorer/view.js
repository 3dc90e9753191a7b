// The dreams: images that follow a teacher's gradient. The traits are the only state; while the images are still
// being made, frames come one by one, and the playhead goes no further than they do.

import { checkbox, html, setText, slide } from "../kit/elements.js";
import { fillPixels, grey } from "../kit/images.js";
import { follow, openPanel, save } from "../kit/panel.js";
import { makePlayer, transport } from "../kit/player.js";
import { unpack } from "../kit/wire.js";

const PLAY_SECONDS = 6;

function switches(terms, chosen, choose) {
  const boxes = terms.map((term, k) => checkbox(term, () => choose(chosen() ^ (1 << k))));
  return {
    element: html("fieldset", { class: "switches" }, html("legend", {}, "The loss"),
      ...boxes.map((box) => box.element)),
    draw: () =>
      boxes.forEach(({ input }, k) => {
        input.checked = Boolean(chosen() & (1 << k));
        // The last term stays: without any nothing would move.
        input.disabled = chosen() === 1 << k;
      }),
  };
}

function controls(steps, there, player, position, goTo) {
  const slider = slide("Step", { min: 0, max: steps.length - 1 }, (at) => goTo(Math.min(at, there() - 1)));
  const bar = transport(player, () => goTo((position() + 1) % there()), () => goTo(0));
  const scrubber = html("label", { class: "scrubber" }, html("span", {}, "Step ", slider.output),
    slider.input);
  return {
    element: html("div", { class: "controls" }, scrubber, html("div", { class: "buttons" }, ...bar.buttons)),
    draw() {
      const told = `${steps[position()]} of ${steps.at(-1)}`;
      slider.show(position(), told, `step ${told}`);
      bar.draw();
    },
  };
}

function gallery(wanted, frame, chosen) {
  const canvases = wanted.map(() => html("canvas", { role: "img" }));
  const pictures = canvases.map((canvas, i) => html("figure", {}, canvas, html("figcaption", {}, wanted[i])));
  return {
    element: html("div", { class: "gallery" }, ...pictures),
    draw() {
      const { shape: [, , height, width], at } = frame();
      canvases.forEach((canvas, i) => {
        const values = at(chosen(), i);
        fillPixels(canvas, [height, width], (pixel) => grey(values[pixel]));
        canvas.setAttribute("aria-label", `image ${i + 1}, meant to be ${wanted[i]}`);
      });
    },
  };
}

function render({ model, el }) {
  return openPanel(el, "kdviz-dreams", (root, guarded) => assemble(model, root, guarded));
}

function assemble(model, root, guarded) {
  const steps = model.get("steps"), terms = model.get("terms"), wanted = model.get("wanted");
  let frames = model.get("frames").map(unpack), playhead = model.get("snapshot");
  const there = () => Math.max(frames.length, 1);
  const position = () => Math.min(Math.floor(playhead), there() - 1);
  const chosen = () => model.get("chosen");
  const said = html("p", { class: "said", role: "status", "aria-live": "polite" });
  const tell = () => {
    const own = terms.filter((_, k) => chosen() & (1 << k));
    const sure = (100 * model.get("sure")[position()][chosen()]).toFixed(0);
    const loss = own.length ? own.join(", ") : "no term, so nothing moves";
    const told = `Loss: ${loss}. After ${steps[position()]} steps the teacher finds what was wanted with a ` +
      `mean probability of ${sure} %.`;
    said.setAttribute("aria-live", player.playing() ? "off" : "polite");
    setText(said, told);
  };
  const show = guarded((at) => {
    playhead = at;
    if (!frames.length) return setText(said, "The images are being made.");
    for (const part of parts) part.draw();
    tell();
  });
  const settle = (snapshot) => {
    save(model, "snapshot", snapshot);
    show(snapshot);
  };
  const player = makePlayer({
    last: steps.length - 1,
    seconds: PLAY_SECONDS,
    now: () => playhead,
    show,
    rest: () => settle(position()),
    stepwise: true,
  });
  const goTo = (snapshot) => {
    player.stop();
    settle(snapshot);
  };
  const choose = (set) => {
    save(model, "chosen", set);
    show(playhead);
  };
  const parts = [
    switches(terms, chosen, choose),
    controls(steps, there, player, position, goTo),
    gallery(wanted, () => frames[position()], chosen),
  ];
  root.append(...parts.map((part) => part.element), said);
  show(playhead);
  const unfollow = follow(model, ["frames", "snapshot", "chosen"], () => {
    // What is there already is not read again.
    frames = model.get("frames").map((text, i) => frames[i] ?? unpack(text));
    if (!player.playing()) show(model.get("snapshot"));
  });
  return () => {
    player.stop();
    unfollow();
  };
}

export default { render };
