// The playback: points that move while networks train. The model's traits are the only state; a part of the
// panel is a function that makes its elements once and returns `{ element, draw }`.

const PLAY_SECONDS = 8;
const SIZE = 340, ROOM = { left: 44, bottom: 38, rest: 10 };

// ---- What was packed by Python ----

// The numbers of one panel, snapshot by snapshot, from 0 to 1.
function unpack(text, snapshots) {
  const bytes = numbersOf(text);
  const each = bytes.length / snapshots;
  return Array.from({ length: snapshots }, (_, i) => Float32Array.from(bytes.subarray(i * each, (i + 1) * each), (b) => b / 255));
}

// Where the points are, the playhead being between two snapshots.
function between(panel, playhead) {
  const before = Math.floor(playhead), share = playhead - before;
  if (share === 0) return panel[before];
  return panel[before].map((value, i) => value + share * (panel[before + 1][i] - value));
}

// How far the points lie from the diagonal on average, measured along y, and how many lie above it.
function measured(places) {
  let distance = 0, above = 0;
  const count = places.length / 2;
  for (let i = 0; i < count; i++) {
    const gap = places[2 * i + 1] - places[2 * i];
    distance += Math.abs(gap) / count;
    above += gap > 0;
  }
  return { distance, above, count };
}


// ---- Time ----

function makePlayer(last, now, show, settle) {
  const stepwise = matchMedia("(prefers-reduced-motion: reduce)").matches;
  let frame = null;
  function stop() {
    if (frame === null) return;
    cancelAnimationFrame(frame);
    frame = null;
    settle(Math.floor(now()));
  }
  function start() {
    const from = now() === last ? 0 : now();
    let began = null;
    const advance = (time) => {
      began ??= time;
      frame = requestAnimationFrame(advance);
      const playhead = Math.min(from + ((time - began) / 1000 / PLAY_SECONDS) * last, last);
      show(stepwise ? Math.floor(playhead) : playhead);
      if (playhead === last) stop();
    };
    frame = requestAnimationFrame(advance);
    show(from);
  }
  return { stop, toggle: () => (frame === null ? start() : stop()), playing: () => frame !== null };
}

function controls(steps, player, position, goTo) {
  const last = steps.length - 1;
  const slider = slide("Training step", { min: 0, max: last }, goTo);
  const play = button("Play", player.toggle);
  const next = button("Step", () => goTo(position() === last ? 0 : position() + 1));
  const reset = button("Reset", () => goTo(0));
  return {
    element: html(
      "div",
      { class: "controls" },
      html("label", { class: "scrubber" }, html("span", {}, "Step ", slider.output), slider.input),
      html("div", { class: "buttons" }, play, next, reset),
    ),
    draw(playhead) {
      const step = steps[Math.floor(playhead)];
      slider.show(Math.floor(playhead), `${step} of ${steps[last]}`, `training step ${step} of ${steps[last]}`);
      play.textContent = player.playing() ? "Pause" : "Play";
    },
  };
}

// ---- The pictures ----

function picture(name, panel, [xAxis, yAxis]) {
  const { left, bottom, rest } = ROOM, width = left + SIZE + rest, height = rest + SIZE + bottom;
  const x = (value) => left + value * SIZE, y = (value) => rest + (1 - value) * SIZE;
  const dots = Array.from({ length: panel[0].length / 2 }, () => svg("circle", { r: 3.2 }));
  const ticks = [0, 0.5, 1].flatMap((tick) => [
    svg("text", { x: x(tick), y: y(0) + 16, "text-anchor": tick === 1 ? "end" : "middle" }, tick),
    svg("text", { x: left - 6, y: y(tick) + 4, "text-anchor": "end" }, tick),
  ]);
  const middle = rest + SIZE / 2;
  const drawn = svg(
    "svg",
    { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${name}: ${yAxis} against ${xAxis}` },
    svg("rect", { class: "frame", x: left, y: rest, width: SIZE, height: SIZE }),
    svg("line", { class: "diagonal", x1: x(0), y1: y(0), x2: x(1), y2: y(1) }),
    ...ticks,
    svg("text", { x: left + SIZE / 2, y: height - 5, "text-anchor": "middle" }, xAxis),
    svg("text", { x: 12, y: middle, "text-anchor": "middle", transform: `rotate(-90 12 ${middle})` }, yAxis),
    ...dots,
  );
  return {
    element: html("div", {}, html("h4", {}, name), drawn),
    draw(playhead) {
      const places = between(panel, playhead);
      dots.forEach((dot, i) => {
        dot.setAttribute("cx", x(places[2 * i]).toFixed(1));
        dot.setAttribute("cy", y(places[2 * i + 1]).toFixed(1));
      });
    },
  };
}

function sentence(steps, names, panels, playing) {
  const said = html("p", { class: "said", role: "status", "aria-live": "polite" });
  return {
    element: said,
    draw(playhead) {
      const parts = panels.map((panel, i) => {
        const { distance, above, count } = measured(panel[Math.floor(playhead)]);
        return `${names[i]}: ${distance.toFixed(2)} from the diagonal on average, ${above} of ${count} points above it.`;
      });
      // Who listens instead of looking hears where it stopped, not every frame.
      said.setAttribute("aria-live", playing() ? "off" : "polite");
      said.textContent = `After ${steps[Math.floor(playhead)]} steps. ${parts.join(" ")}`;
    },
  };
}

function render({ model, el }) {
  return openPanel(el, "kdviz-playback", (root, guarded) => assemble(model, root, guarded));
}

function assemble(model, root, guarded) {
  const steps = model.get("steps"), names = model.get("names");
  const panels = model.get("points").map((text) => unpack(text, steps.length));
  let playhead = model.get("snapshot");
  const show = guarded((place) => {
    playhead = place;
    for (const part of parts) part.draw(playhead);
  });
  const settle = (snapshot) => {
    save(model, "snapshot", snapshot);
    show(snapshot);
  };
  const player = makePlayer(steps.length - 1, () => playhead, show, settle);
  const goTo = (snapshot) => {
    player.stop();
    settle(snapshot);
  };
  const pictures = names.map((name, i) => picture(name, panels[i], model.get("axes")));
  const row = html("div", { class: "panels" }, ...pictures.map((one) => one.element));
  row.style.setProperty("--panels", names.length);
  const bar = controls(steps, player, () => Math.floor(playhead), goTo);
  const said = sentence(steps, names, panels, player.playing);
  const parts = [bar, ...pictures, said];
  root.append(bar.element, row, said.element);
  const listen = () => {
    if (!player.playing()) show(model.get("snapshot"));
  };
  show(playhead);
  const unfollow = follow(model, ["snapshot"], listen);
  return () => {
    player.stop();
    unfollow();
  };
}

export default { render };
