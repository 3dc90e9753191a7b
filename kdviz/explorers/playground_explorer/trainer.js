// The trainer: hears the page's wishes, trains in short slices, and tells how far it is. It runs in a worker,
// or, where a page may start none, on the page's own thread.

import { dataOf, examine, Pair, STEPS } from "./engine.js";

const TICK = 30, SLICE = 22;

export function serve(tell) {
  let data = null, pair = null, run = 0, told = 0;
  // The last wish that was heard: so the page knows which reports came after it.
  let turn = 0;
  // Steps a second; `until` is where to stop.
  let rate = 0, until = 0, owed = 0, last = 0, timer = null;

  function report(extra = {}) {
    tell({
      kind: "state",
      run,
      turn,
      step: pair.step,
      done: pair.done,
      playing: timer !== null,
      records: pair.records.slice(told),
      from: told,
      weights: pair.students.map(({ net }) => net.weights.slice()),
      said: pair.students.map(({ net }) => examine(net, data).said),
      stops: pair.stops(),
      changes: pair.changes,
      ...extra,
    });
    told = pair.records.length;
  }

  function pause() {
    clearTimeout(timer);
    timer = null;
  }

  function tick() {
    const now = performance.now(), end = now + SLICE;
    owed = Math.min(owed + ((now - last) / 1000) * rate, rate);
    last = now;
    while (owed >= 1 && pair.step < until && performance.now() < end) {
      pair.advance();
      owed -= 1;
    }
    timer = pair.step < until ? setTimeout(tick, TICK) : null;
    report();
  }

  function play(speed, to) {
    pause();
    [rate, until, owed, last] = [speed, to, 1, performance.now()];
    tick();
  }

  const wishes = {
    open({ packed }) {
      data = dataOf(packed);
    },
    // A fresh pair; `until` above 0 goes straight on to that step, with the changes of an earlier run.
    begin({ settings, changes, until: to, run: named }) {
      pause();
      pair = new Pair(data, settings, changes);
      [run, told] = [named, 0];
      if (to > 0) play(1e6, Math.min(to, STEPS));
      else report();
    },
    play: ({ rate: speed }) => play(speed, STEPS),
    pace: ({ rate: speed }) => (rate = speed),
    pause() {
      pause();
      report();
    },
    step({ count }) {
      pause();
      for (let i = 0; i < count && !pair.done; i++) pair.advance();
      report();
    },
    set({ name, value }) {
      pair.set(name, value);
      report();
    },
    // One seed to its end, for the many that are compared.
    seed({ settings }) {
      const ended = new Pair(data, settings, [], Infinity).finish();
      // The two students at their end, then the same two at their best validation steps.
      const exams = [...ended.students.map(({ net }) => examine(net, data)), ...ended.stops()];
      tell({
        kind: "seed",
        seed: settings.seed,
        accuracy: exams.map((exam) => exam.accuracy),
        recall: exams.map((exam) => recall(exam.said, data, settings.omit)),
      });
    },
  };

  return (message) => {
    try {
      turn = message.turn ?? turn;
      wishes[message.wish](message);
    } catch (problem) {
      pause();
      tell({ kind: "problem", text: problem.message });
    }
  };
}

// Percent of a digit's test images that are called right; null without a digit.
export function recall(said, data, digit) {
  let right = 0, count = 0;
  said.forEach((answer, n) => {
    if (data.truth[data.train + n] !== digit) return;
    count += 1;
    right += answer === digit;
  });
  return count ? (100 * right) / count : null;
}
