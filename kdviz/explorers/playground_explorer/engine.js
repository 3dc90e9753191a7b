// The mathematics of the playground: two students that start alike, one with a teacher and one without.
// It knows no page. It runs in a worker, and in the tests beside torch. Numbers are Float64 throughout.

import { unpack } from "../kit/wire.js";

export const PIXELS = 64, CLASSES = 10, BATCH = 64, UNLABELLED = -1;
export const STEPS = 600;
// Accuracy is measured each time so many steps are done.
export const RECORD_EVERY = 5;
export const LABEL_ONLY = 0, DISTILLED = 1;

// --- Chance: the same seed and purpose give the same numbers on every machine. ---

// Doty-Humphrey's sfc32, its state filled from seed and purpose by a multiplicative hash.
export function random(seed, purpose) {
  let hash = 2166136261 ^ seed;
  for (const letter of purpose) hash = Math.imul(hash ^ letter.charCodeAt(0), 16777619);
  let a = hash | 0, b = seed | 0, c = Math.imul(hash, 2654435769) | 0, count = 1;
  const next = () => {
    const made = (((a + b) | 0) + count) | 0;
    count = (count + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + made | 0;
    return (made >>> 0) / 4294967296;
  };
  for (let i = 0; i < 16; i++) next();
  return next;
}

export function shuffled(values, next) {
  const list = Array.from(values);
  for (let last = list.length - 1; last > 0; last--) {
    const other = Math.floor(next() * (last + 1));
    [list[last], list[other]] = [list[other], list[last]];
  }
  return list;
}

// --- The packed data of a page. ---

// All images: those for training, then those for the test, then those on which a stop is chosen. The mean
// training image is subtracted, as kdviz does it.
export function dataOf(packed) {
  const { values: truth } = unpack(packed.truth), { values: grey } = unpack(packed.images);
  const mean = new Float64Array(PIXELS), inputs = new Float64Array(grey.length);
  for (let i = 0; i < packed.train * PIXELS; i++) mean[i % PIXELS] += grey[i] / 16 / packed.train;
  for (let i = 0; i < grey.length; i++) inputs[i] = grey[i] / 16 - mean[i % PIXELS];
  const names = Object.keys(packed.teachers);
  const teachers = new Map(names.map((name) => [name, teacher(packed.teachers[name], inputs)]));
  return { grey, mean, inputs, truth, train: packed.train, test: packed.test, teachers };
}

// A teacher, the labels it learned from (and its students do), and, once asked for, its answers.
function teacher({ weights, labels, hidden }, inputs) {
  const net = network(hidden, unpack(weights).values), known = new Map();
  return {
    net,
    labels: unpack(labels).values,
    // Its logits of an image: all of them would keep the first picture waiting.
    say(row) {
      if (!known.has(row)) known.set(row, answers(net, inputs, row, 1));
      return known.get(row);
    },
  };
}

// The teacher of these settings. One that learned from wrong labels was always stopped early.
export function teacherOf(data, { label_noise, early_teacher }) {
  return data.teachers.get(early_teacher && label_noise === 0 ? "early" : String(label_noise));
}

// --- A network with one hidden layer of rectified units. ---

export function network(hidden, weights) {
  const first = hidden * PIXELS, second = first + hidden, third = second + CLASSES * hidden;
  return {
    hidden,
    weights,
    w1: weights.subarray(0, first),
    b1: weights.subarray(first, second),
    w2: weights.subarray(second, third),
    b2: weights.subarray(third, third + CLASSES),
  };
}

// torch's own initial weights of a linear layer: even, within 1 / sqrt(inputs).
export function initial(hidden, seed) {
  const next = random(seed, "weights"), first = hidden * (PIXELS + 1);
  const weights = new Float64Array(first + CLASSES * (hidden + 1));
  for (let i = 0; i < weights.length; i++) {
    weights[i] = (2 * next() - 1) / Math.sqrt(i < first ? PIXELS : hidden);
  }
  return network(hidden, weights);
}

function forward(net, inputs, from, units, logits, to) {
  const { hidden, w1, b1, w2, b2 } = net;
  for (let h = 0, w = 0; h < hidden; h++) {
    // Four sums side by side: a processor need not wait for one addition to begin the next.
    let s0 = b1[h], s1 = 0, s2 = 0, s3 = 0;
    for (let i = from; i < from + PIXELS; i += 4, w += 4) {
      s0 += w1[w] * inputs[i];
      s1 += w1[w + 1] * inputs[i + 1];
      s2 += w1[w + 2] * inputs[i + 2];
      s3 += w1[w + 3] * inputs[i + 3];
    }
    const sum = s0 + s1 + (s2 + s3);
    units[h] = Math.max(sum, 0);
  }
  for (let c = 0, w = 0; c < CLASSES; c++) {
    let sum = b2[c];
    for (let h = 0; h < hidden; h++) sum += w2[w++] * units[h];
    logits[to + c] = sum;
  }
}

// The logits of `count` images in a row, from the image number `first` on.
export function answers(net, inputs, first, count) {
  const logits = new Float64Array(count * CLASSES), units = new Float64Array(net.hidden);
  for (let n = 0; n < count; n++) forward(net, inputs, (first + n) * PIXELS, units, logits, n * CLASSES);
  return logits;
}

// Writes log softmax(logits / T) of the image whose logits begin at `from`. In place, unlike the kit's
// own: it runs for each image of each batch.
function writeLogSoftmax(logits, from, temperature, made) {
  let highest = -Infinity, sum = 0;
  for (let c = 0; c < CLASSES; c++) highest = Math.max(highest, logits[from + c]);
  for (let c = 0; c < CLASSES; c++) {
    made[c] = (logits[from + c] - highest) / temperature;
    sum += Math.exp(made[c]);
  }
  const scale = Math.log(sum);
  for (let c = 0; c < CLASSES; c++) made[c] -= scale;
}

// --- One lesson: (1 - soft_weight) × cross-entropy + soft_weight × T² × KL, as kdviz writes it. ---

// The loss of a batch; its gradient is added to `gradient`, a network of the same shape.
export function lossAndGradient(net, inputs, lesson, batch, objective, gradient) {
  const { soft_weight, temperature } = objective;
  const count = batch.length;
  const known = batch.reduce((sum, i) => sum + (lesson.labels[i] !== UNLABELLED), 0);
  const units = new Float64Array(net.hidden), logits = new Float64Array(CLASSES),
    back = new Float64Array(CLASSES);
  const p = new Float64Array(CLASSES), q = new Float64Array(CLASSES);
  let hard = 0, soft = 0;
  for (const i of batch) {
    const from = lesson.rows[i] * PIXELS, label = lesson.labels[i];
    forward(net, inputs, from, units, logits, 0);
    back.fill(0);
    if (label !== UNLABELLED && soft_weight < 1) {
      writeLogSoftmax(logits, 0, 1, p);
      hard -= p[label] / known;
      for (let c = 0; c < CLASSES; c++) {
        back[c] += ((1 - soft_weight) * (Math.exp(p[c]) - (c === label))) / known;
      }
    }
    if (soft_weight > 0) {
      writeLogSoftmax(logits, 0, temperature, p);
      writeLogSoftmax(lesson.taught, i * CLASSES, temperature, q);
      for (let c = 0; c < CLASSES; c++) {
        const target = Math.exp(q[c]);
        soft += (temperature ** 2 * target * (q[c] - p[c])) / count;
        back[c] += (soft_weight * temperature * (Math.exp(p[c]) - target)) / count;
      }
    }
    backward(net, inputs, from, units, back, gradient);
  }
  return (1 - soft_weight) * hard + soft_weight * soft;
}

function backward(net, inputs, from, units, back, gradient) {
  const { hidden, w2 } = net, { w1: g1, b1: gb1, w2: g2, b2: gb2 } = gradient;
  for (let c = 0; c < CLASSES; c++) gb2[c] += back[c];
  for (let h = 0; h < hidden; h++) {
    if (units[h] === 0) continue;
    let slope = 0;
    for (let c = 0; c < CLASSES; c++) {
      slope += w2[c * hidden + h] * back[c];
      g2[c * hidden + h] += units[h] * back[c];
    }
    gb1[h] += slope;
    for (let i = 0, w = h * PIXELS; i < PIXELS; i++) g1[w + i] += slope * inputs[from + i];
  }
}

// The fraction of the learning rate at a step: along half a cosine to 2 % after the last.
export function cosine(step, steps) {
  return 0.02 + (0.98 * (1 + Math.cos((Math.PI * step) / steps))) / 2;
}

// Adam with torch's defaults.
export class Adam {
  constructor(weights) {
    this.weights = weights;
    this.means = new Float64Array(weights.length);
    this.squares = new Float64Array(weights.length);
    this.count = 0;
  }

  step(gradient, learning_rate) {
    const { weights, means, squares } = this;
    this.count += 1;
    const size = learning_rate / (1 - 0.9 ** this.count), root = Math.sqrt(1 - 0.999 ** this.count);
    for (let i = 0; i < weights.length; i++) {
      means[i] = 0.9 * means[i] + 0.1 * gradient[i];
      squares[i] = 0.999 * squares[i] + 0.001 * gradient[i] * gradient[i];
      weights[i] -= (size * means[i]) / (Math.sqrt(squares[i]) / root + 1e-8);
    }
  }
}

// --- What a student is shown. ---

// Which training images have a label, evenly over the classes; by seed.
export function labelled(rows, truth, count, seed) {
  const next = random(seed, "labels");
  const piles = new Map();
  for (const row of shuffled(rows, next)) piles.set(truth[row], [...(piles.get(truth[row]) ?? []), row]);
  const dealt = shuffled(piles.keys(), next).map((label) => piles.get(label));
  const chosen = [];
  for (let round = 0; chosen.length < Math.min(count, rows.length); round++) {
    for (const pile of dealt) if (round < pile.length && chosen.length < count) chosen.push(pile[round]);
  }
  return chosen;
}

// The control that should fail: each image keeps the teacher's logit of its label (of the teacher's own
// answer where there is no label), and the other nine change places.
function permute(logits, label, next) {
  const others = [...logits.keys()].filter((c) => c !== label);
  const from = shuffled(others, next);
  const made = logits.slice();
  others.forEach((c, i) => (made[c] = logits[from[i]]));
  return made;
}

// What the teacher says to the distilled student of a training image.
export function toldOf(data, settings, row, label) {
  const said = teacherOf(data, settings).say(row);
  if (!settings.permuted) return said;
  const kept = label === UNLABELLED ? best(said, 0) : label;
  return permute(said, kept, random(settings.seed, `image ${row}`));
}

// The lessons of both students: training rows, labels (-1: unknown) and what the teacher says.
export function lessons(data, settings) {
  const { labels: given } = teacherOf(data, settings);
  const every = Array.from({ length: data.train }, (_, row) => row);
  const seen = every.filter((row) => data.truth[row] !== settings.omit);
  const few = labelled(seen, data.truth, settings.labels, settings.seed);
  const known = new Set(few);
  const lesson = (rows) => {
    const labels = rows.map((row) => (known.has(row) ? given[row] : UNLABELLED));
    const taught = new Float64Array(rows.length * CLASSES);
    rows.forEach((row, i) => taught.set(toldOf(data, settings, row, labels[i]), i * CLASSES));
    return { rows, labels, taught };
  };
  const baseline = lesson(few);
  return [baseline, settings.unlabelled ? lesson(seen) : baseline];
}

// Endless shuffled batches: every epoch in a new order, a last short batch left out.
export function* batches(count, seed) {
  const size = Math.min(BATCH, count), next = random(seed, "batches");
  const rows = Array.from({ length: count }, (_, row) => row);
  for (;;) {
    const order = shuffled(rows, next);
    for (let batch = 0; batch + size <= count; batch += size) yield order.slice(batch, batch + size);
  }
}

// --- The two students, step for step. ---

// The settings that may change while they learn.
export const LIVE = ["temperature", "soft_weight", "learning_rate"];

export class Pair {
  // `changes`: [step, name, value], the live settings as they changed in an earlier run.
  constructor(data, settings, changes = [], recordEvery = RECORD_EVERY) {
    this.data = data;
    this.recordEvery = recordEvery;
    this.settings = { ...settings };
    this.changes = changes.map((change) => [...change]);
    this.step = 0;
    // No student may meet the digit that is left out, not even for the choice of its stop.
    this.validation = validationRows(data, settings.omit);
    this.students = lessons(data, settings).map((lesson) => {
      const net = initial(settings.width, settings.seed);
      return {
        net,
        lesson,
        batches: batches(lesson.rows.length, settings.seed),
        optimizer: new Adam(net.weights),
        gradient: network(net.hidden, new Float64Array(net.weights.length)),
        loss: null,
        // The best step on the validation images, the first of equals, and the weights that it had there.
        stop: { step: 0, validation: -1, weights: net.weights.slice() },
      };
    });
    this.#validate();
    this.records = [this.#record()];
  }

  get done() {
    return this.step >= STEPS;
  }

  set(name, value) {
    if (this.settings[name] === value) return;
    this.settings[name] = value;
    this.changes.push([this.step, name, value]);
  }

  // One step of both; a record each time enough steps are done.
  advance() {
    for (const [step, name, value] of this.changes) if (step === this.step) this.settings[name] = value;
    const rate = this.settings.learning_rate * cosine(this.step, STEPS);
    this.students.forEach((student, which) => {
      const objective = which === LABEL_ONLY ? { soft_weight: 0, temperature: 1 } : this.settings;
      const { net, gradient, lesson } = student;
      gradient.weights.fill(0);
      const batch = student.batches.next().value;
      student.loss = lossAndGradient(net, this.data.inputs, lesson, batch, objective, gradient);
      student.optimizer.step(gradient.weights, rate);
    });
    this.step += 1;
    if (this.step % RECORD_EVERY === 0 || this.done) this.#validate();
    if (this.step % this.recordEvery === 0 || this.done) this.records.push(this.#record());
  }

  #validate() {
    for (const student of this.students) {
      const validation = fractionRight(student.net, this.data, this.validation);
      if (validation <= student.stop.validation) continue;
      student.stop = { step: this.step, validation, weights: student.net.weights.slice() };
    }
  }

  // What each student had answered, had it stopped at its best step so far on the validation images.
  stops() {
    return this.students.map(({ net, stop }) => ({
      step: stop.step,
      ...examine(network(net.hidden, stop.weights), this.data),
    }));
  }

  finish() {
    while (!this.done) this.advance();
    return this;
  }

  #record() {
    const exams = this.students.map(({ net }) => examine(net, this.data));
    return {
      step: this.step,
      accuracy: exams.map((exam) => exam.accuracy),
      loss: exams.map((exam) => exam.loss),
      trainLoss: this.students.map((student) => student.loss),
    };
  }
}

export function best(logits, from) {
  let first = 0;
  for (let c = 1; c < CLASSES; c++) if (logits[from + c] > logits[from + first]) first = c;
  return first;
}

function validationRows(data, omit) {
  const first = data.train + data.test;
  const every = Array.from({ length: data.truth.length - first }, (_, n) => first + n);
  return every.filter((row) => data.truth[row] !== omit);
}

export function fractionRight(net, data, rows) {
  const units = new Float64Array(net.hidden), logits = new Float64Array(CLASSES);
  let right = 0;
  for (const row of rows) {
    forward(net, data.inputs, row * PIXELS, units, logits, 0);
    right += best(logits, 0) === data.truth[row];
  }
  return right / rows.length;
}

// What a network says about the test images: percent right, mean cross-entropy, and each answer.
export function examine(net, data) {
  const count = data.test;
  const logits = answers(net, data.inputs, data.train, count);
  const said = new Uint8Array(count), made = new Float64Array(CLASSES);
  let right = 0, loss = 0;
  for (let n = 0; n < count; n++) {
    const label = data.truth[data.train + n];
    said[n] = best(logits, n * CLASSES);
    writeLogSoftmax(logits, n * CLASSES, 1, made);
    right += said[n] === label;
    loss -= made[label];
  }
  return { accuracy: (100 * right) / count, loss: loss / count, said };
}
