// The playback: points that move while networks train. The model's traits are the only state; a part of the
// panel is a function that makes its elements once and returns `{ element, draw }`.

import { chart } from "../kit/chart.js";
import { html, slide, svg, svgPicture } from "../kit/elements.js";
import { follow, openPanel, save } from "../kit/panel.js";
import { makePlayer, transport } from "../kit/player.js";
import { unpack } from "../kit/wire.js";

const PLAY_SECONDS = 8;
const BOX = { left: 44, right: 384, top: 10, bottom: 350 }, SIZE = [394, 388];

// Where the points are, the playhead being between two snapshots.
function between({ at }, playhead) {
  const before = Math.floor(playhead), fraction = playhead - before;
  if (fraction === 0) return at(before);
  const after = at(before + 1);
  return at(before).map((value, i) => value + fraction * (after[i] - value));
}

// How far the points lie from the diagonal on average, measured along y, and how many lie above it.
function measured(points) {
  let distance = 0, above = 0;
  const count = points.length / 2;
  for (let i = 0; i < count; i++) {
    const gap = points[2 * i + 1] - points[2 * i];
    distance += Math.abs(gap) / count;
    above += gap > 0;
  }
  return { distance, above, count };
}

function controls(steps, player, position, goTo) {
  const last = steps.length - 1;
  const slider = slide("Training step", { min: 0, max: last }, goTo);
  const bar = transport(player, () => goTo((position() + 1) % steps.length), () => goTo(0));
  const scrubber = html("label", { class: "scrubber" }, html("span", {}, "Step ", slider.output),
    slider.input);
  return {
    element: html("div", { class: "controls" }, scrubber, html("div", { class: "buttons" }, ...bar.buttons)),
    draw(playhead) {
      const at = Math.floor(playhead), told = `${steps[at]} of ${steps[last]}`;
      slider.show(at, told, `training step ${told}`);
      bar.draw();
    },
  };
}

function panelOf(name, panel, [xAxis, yAxis]) {
  const axis = (title) => ({ range: [0, 1], ticks: [0, 0.5, 1], title });
  const { x, y, drawn } = chart({ box: BOX, x: axis(xAxis), y: axis(yAxis) });
  const frame = { x: BOX.left, y: BOX.top, width: BOX.right - BOX.left, height: BOX.bottom - BOX.top };
  const dots = Array.from({ length: panel.shape[1] }, () => svg("circle", { r: 3.2 }));
  const drawing = svgPicture(
    ...SIZE,
    `${name}: ${yAxis} against ${xAxis}`,
    ...drawn,
    svg("rect", { class: "frame", ...frame }),
    svg("line", { class: "diagonal", x1: x(0), y1: y(0), x2: x(1), y2: y(1) }),
    ...dots,
  );
  return {
    element: html("div", {}, html("h4", {}, name), drawing),
    draw(playhead) {
      const points = between(panel, playhead);
      dots.forEach((dot, i) => {
        dot.setAttribute("cx", x(points[2 * i]).toFixed(1));
        dot.setAttribute("cy", y(points[2 * i + 1]).toFixed(1));
      });
    },
  };
}

function sentence(steps, names, panels, playing) {
  const element = html("p", { class: "said", role: "status", "aria-live": "polite" });
  return {
    element,
    draw(playhead) {
      const parts = panels.map((panel, i) => {
        const { distance, above, count } = measured(panel.at(Math.floor(playhead)));
        return `${names[i]}: ${distance.toFixed(2)} from the diagonal on average, ${above} of ${count} ` +
          `points above it.`;
      });
      // Who listens instead of looking hears where it stopped, not every frame.
      element.setAttribute("aria-live", playing() ? "off" : "polite");
      element.textContent = `After ${steps[Math.floor(playhead)]} steps. ${parts.join(" ")}`;
    },
  };
}

function render({ model, el }) {
  return openPanel(el, "kdviz-playback", (root, guarded) => assemble(model, root, guarded));
}

function assemble(model, root, guarded) {
  const steps = model.get("steps"), names = model.get("names");
  const panels = model.get("points").map(unpack);
  let playhead = model.get("snapshot");
  const show = guarded((at) => {
    playhead = at;
    for (const part of parts) part.draw(playhead);
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
    rest: (at) => settle(Math.floor(at)),
  });
  const goTo = (snapshot) => {
    player.stop();
    settle(snapshot);
  };
  const pictures = names.map((name, i) => panelOf(name, panels[i], model.get("axes")));
  const row = html("div", { class: "panels" }, ...pictures.map((one) => one.element));
  row.style.setProperty("--panels", names.length);
  const bar = controls(steps, player, () => Math.floor(playhead), goTo);
  const told = sentence(steps, names, panels, player.playing);
  const parts = [bar, ...pictures, told];
  root.append(bar.element, row, told.element);
  show(playhead);
  const unfollow = follow(model, ["snapshot"], () => player.playing() || show(model.get("snapshot")));
  return () => {
    player.stop();
    unfollow();
  };
}

export default { render };
