// Trains the path that is looked at, in slices between the pictures: no slice is longer than a frame has room for.

const SLICE = 7, CALM = 400;

// `path()` is the path in view, `changed()` hears of each record, less often where less motion is wanted, and
// `again()` puts a path that has ended back to its start.
export function makeTrainer(path, changed, again) {
  const pause = matchMedia("(prefers-reduced-motion: reduce)").matches ? CALM : 0;
  let frame = null, told = 0;
  function stop() {
    cancelAnimationFrame(frame);
    frame = null;
    changed();
  }
  function slice() {
    const until = performance.now() + SLICE, now = path();
    frame = requestAnimationFrame(slice);
    if (now.done && !now.due) return stop();
    // To count all texts takes a slice of its own.
    if (!now.due) {
      do now.advance(); while (!now.due && performance.now() < until);
    } else {
      now.record();
      if (performance.now() < told + pause) return;
      told = performance.now();
      changed();
    }
  }
  return {
    stop,
    playing: () => frame !== null,
    toggle() {
      if (frame !== null) return stop();
      if (path().done) again();
      frame = requestAnimationFrame(slice);
      changed();
    },
    // On to the next record.
    once() {
      const now = path();
      do now.advance(); while (!now.due);
      now.record();
      changed();
    },
  };
}
