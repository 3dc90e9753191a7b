// Trains the path that is looked at, in slices between the pictures: no slice is longer than a frame has room for.

const SLICE = 8, CALM = 400;

// `path()` is the path in view, `changed()` hears of each record, less often where less motion is wanted, and
// `again()` puts a path that has ended back to its start.
export function makeTrainer(path, changed, again) {
  const pause = matchMedia("(prefers-reduced-motion: reduce)").matches ? CALM : 0;
  let frame = null, told = 0, drawing = false, walking = null;
  function stop() {
    cancelAnimationFrame(frame);
    frame = null;
    changed();
  }
  function slice() {
    const until = performance.now() + SLICE;
    // Nothing learns by the move of a control: whoever turns to another path has to start it.
    if (walking.done || walking !== path()) return stop();
    frame = requestAnimationFrame(slice);
    // The frame after a record is left to its picture.
    if (drawing) drawing = false;
    else if (toRecord(walking, () => performance.now() >= until) && performance.now() >= told + pause) {
      told = performance.now();
      drawing = true;
      changed();
    }
  }
  return {
    stop,
    playing: () => frame !== null,
    toggle() {
      if (frame !== null) return stop();
      if (path().done) again();
      walking = path();
      frame = requestAnimationFrame(slice);
      changed();
    },
    // On to the next record.
    once() {
      toRecord(path(), () => false);
      changed();
    },
  };
}

// Works until there is one record more, or it is enough for now; says which.
function toRecord(path, enough) {
  const known = path.records.length;
  do {
    path.work();
  } while (path.records.length === known && !enough());
  return path.records.length > known;
}
