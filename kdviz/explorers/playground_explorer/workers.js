// Workers made from the text of engine and trainer, so that the page stays one file.

import { serve } from "./trainer.js";

// `WORKER_SOURCE`, the text of engine and trainer, is put in front by Python.
const WORKER_START =
  "const hear = serve((told) => postMessage(told)); onmessage = (event) => hear(event.data);";

export function startTrainer(packed, hear) {
  // What was wished for before the first answer, for another try where the worker cannot start.
  let early = [];
  let trainer = startWorker(
    (told) => {
      early = null;
      hear(told);
    },
    (text) => {
      if (!early) return hear({ kind: "problem", text });
      trainer = onThisThread(hear);
      early.forEach(trainer.wish);
    },
  );
  trainer ??= onThisThread(hear);
  const wish = (message) => {
    early?.push(message);
    trainer.wish(message);
  };
  wish({ wish: "open", packed });
  return { wish, close: () => trainer.close() };
}

// `fail` hears of a worker that does not start (some hosts tell it only later) or that breaks.
function startWorker(hear, fail) {
  let url;
  try {
    url = URL.createObjectURL(new Blob([WORKER_SOURCE, WORKER_START], { type: "text/javascript" }));
    const worker = new Worker(url);
    worker.onmessage = (event) => hear(event.data);
    worker.onerror = (event) => {
      event.preventDefault();
      worker.terminate();
      fail(event.message || "the worker could not start");
    };
    return { wish: (message) => worker.postMessage(message), close: () => worker.terminate() };
  } catch {
    // Some hosts forbid workers.
    return null;
  } finally {
    if (url) setTimeout(() => URL.revokeObjectURL(url), 10000);
  }
}

function onThisThread(hear) {
  let open = true;
  const listen = serve((told) => open && hear(told));
  return {
    wish: (message) => setTimeout(() => open && listen(message), 0),
    close: () => (open = false),
  };
}

// Trains one pair for each seed, several at a time, and hands over each result as it comes.
export function runSeeds(packed, settings, seeds, hear) {
  const waiting = [...seeds];
  const together = Math.min(seeds.length, Math.max(1, Math.min(8, navigator.hardwareConcurrency || 2)));
  const trainers = Array.from({ length: together }, () => {
    const trainer = startTrainer(packed, (told) => {
      hear(told);
      if (told.kind === "seed") next(trainer);
    });
    next(trainer);
    return trainer;
  });
  function next(trainer) {
    if (waiting.length) trainer.wish({ wish: "seed", settings: { ...settings, seed: waiting.shift() } });
    else trainer.close();
  }
  return { stop: () => trainers.forEach((trainer) => trainer.close()) };
}
