// What plays: a playhead that moves with time, and the buttons that steer it.

import { button, setText } from "./elements.js";

// Moves a playhead to `last` in `seconds` for the whole way: from where it is, from the start where it has ended.
// `show(at)` draws on the way, `rest(at)` hears where it stopped. Stepwise: only whole numbers are shown, by
// default to those who asked for less motion.
export function makePlayer({ last, seconds, now, show, rest = () => {}, stepwise }) {
  const whole = stepwise ?? matchMedia("(prefers-reduced-motion: reduce)").matches;
  let frame = null, playhead = null;
  function stop() {
    if (frame === null) return;
    cancelAnimationFrame(frame);
    const ended = playhead;
    frame = playhead = null;
    rest(ended);
  }
  function start() {
    const from = now() >= last ? 0 : now();
    let began = null;
    playhead = from;
    const advance = (time) => {
      began ??= time;
      frame = requestAnimationFrame(advance);
      const at = Math.min(from + ((time - began) / 1000 / seconds) * last, last);
      playhead = whole ? Math.floor(at + 1e-9) : at;
      show(playhead);
      if (at === last) stop();
    };
    frame = requestAnimationFrame(advance);
    show(playhead);
  }
  return {
    stop,
    toggle: () => (frame === null ? start() : stop()),
    playing: () => frame !== null,
    playhead: () => playhead,
  };
}

// Play, Step and Reset; to step and to go back stops what plays.
export function transport(player, step, reset) {
  const play = button("Play", player.toggle);
  const stopped = (act) => () => {
    player.stop();
    act();
  };
  return {
    buttons: [play, button("Step", stopped(step)), button("Reset", stopped(reset))],
    draw: () => setText(play, player.playing() ? "Pause" : "Play"),
  };
}
