// The mathematics of the language explorer: a window network that learns to say the time. It knows no page; the
// tests hold it to torch (path.py). Numbers are Float64 throughout.

import { unpack } from "../kit/wire.js";
import { Adam, cosine, random } from "../playground_explorer/engine.js";

const WIDTH = 8, READS = 5, PROMPT_TOKENS = 2, STOP = 0;

// --- A window network: the prompt and the last three tokens, one hidden layer of tanh, a word. ---

// Weights in torch's order.
function windowNetwork(weights, units, { tokens, words }) {
  let from = 0;
  const part = (size) => {
    from += size;
    return weights.subarray(from - size, from);
  };
  const embedding = part(tokens * WIDTH), hidden = part(units * READS * WIDTH), hiddenBias = part(units);
  return { weights, units, embedding, hidden, hiddenBias, out: part(words * units), outBias: part(words) };
}

// What the network reads at a place of a text; -1 where there is no token.
function contextAt(tokens, place) {
  return [tokens[0], tokens[1], tokens[place], tokens[place - 1] ?? -1, tokens[place - 2] ?? -1];
}

function wordLogits(net, context, units, logits) {
  const { embedding, hidden, hiddenBias, out, outBias } = net;
  for (let h = 0; h < units.length; h++) {
    let sum = hiddenBias[h];
    for (let read = 0, w = h * READS * WIDTH; read < READS; read++, w += WIDTH) {
      const from = context[read] * WIDTH;
      if (from >= 0) { for (let i = 0; i < WIDTH; i++) sum += hidden[w + i] * embedding[from + i]; }
    }
    units[h] = Math.tanh(sum);
  }
  for (let c = 0, w = 0; c < logits.length; c++) {
    let sum = outBias[c];
    for (let h = 0; h < units.length; h++) sum += out[w++] * units[h];
    logits[c] = sum;
  }
}

// Adds the gradient by the weights, of that by the logits, to `made`, a network of the same shape.
function addGradient(net, context, units, back, made) {
  for (let c = 0; c < back.length; c++) made.outBias[c] += back[c];
  for (let h = 0; h < units.length; h++) {
    let slope = 0;
    for (let c = 0, w = h; c < back.length; c++, w += units.length) {
      slope += net.out[w] * back[c];
      made.out[w] += units[h] * back[c];
    }
    slope *= 1 - units[h] ** 2;
    made.hiddenBias[h] += slope;
    for (let read = 0, w = h * READS * WIDTH; read < READS; read++, w += WIDTH) {
      const from = context[read] * WIDTH;
      if (from < 0) continue;
      for (let i = 0; i < WIDTH; i++) {
        made.hidden[w + i] += slope * net.embedding[from + i];
        made.embedding[from + i] += slope * net.hidden[w + i];
      }
    }
  }
}

// Turns logits into log softmax(logits / T), in place.
function toLogSoftmax(logits, T = 1) {
  let highest = -Infinity, sum = 0;
  for (let c = 0; c < logits.length; c++) highest = Math.max(highest, logits[c]);
  for (let c = 0; c < logits.length; c++) {
    logits[c] = (logits[c] - highest) / T;
    sum += Math.exp(logits[c]);
  }
  const scale = Math.log(sum);
  for (let c = 0; c < logits.length; c++) logits[c] -= scale;
}

// The gradient by the student's logits, of what it hears at one word: the word alone where β is null, else
// kdviz's normalised Jensen-Shannon divergence, which is forward KL at β = 0 and reverse KL at β = 1.
export function wordGradient(logP, logQ, beta, word, made) {
  let total = 0;
  for (let c = 0; c < made.length; c++) {
    const p = Math.exp(logP[c]);
    if (beta === null) made[c] = p - (c === word);
    else {
      const ratio = logQ[c] - logP[c];
      // p log(m / p) / β for the mixture m, and its limits.
      made[c] = beta === 0
        ? Math.exp(logQ[c]) - p
        : p * (beta === 1 ? ratio : Math.log1p(beta * Math.expm1(Math.min(ratio, 700)))) / beta;
      total += made[c];
    }
  }
  if (beta !== null) { for (let c = 0; c < made.length; c++) made[c] = Math.exp(logP[c]) * total - made[c]; }
}

// --- The language and its networks. ---

export function worldOf(packed) {
  const { words, times, plan, shares, styles } = packed;
  const { values, shape: [count, length] } = unpack(packed.tokens);
  const every = Array.from({ length: count },
    (_, n) => Array.from(values.subarray(n * length, n * length + length)));
  const world = { words, times, plan, shares, styles, every, readOut: packed.read_out,
    sizes: { tokens: words.length + 24, words: words.length } };
  world.endings = every.map((tokens) => tokens.indexOf(STOP, PROMPT_TOKENS) + 1);
  world.timeOf = new Map(every.map((tokens, n) => [said(tokens, world.endings[n]), Math.floor(n / 3)]));
  world.teacher = netOf(world, Float64Array.from(unpack(packed.teacher.weights).values),
    packed.teacher.units);
  world.warm = netOf(world, Float64Array.from(unpack(packed.warm.weights).values), packed.warm.units);
  return world;
}

export function netOf(world, weights, units = world.warm.units) {
  return windowNetwork(weights, units, world.sizes);
}

function said(tokens, end) {
  return tokens.slice(PROMPT_TOKENS, end).join(" ");
}

// What a network says after a context, as log probabilities. That of one which stands still is kept.
export function speakerOf(net, world, keep = false) {
  const units = new Float64Array(net.units), kept = new Map();
  return (context, T = 1) => {
    // What is likeliest does not depend on the temperature.
    T ||= 1;
    const key = context.reduce((made, token) => made * 64 + token + 1, 0);
    const known = kept.get(key);
    if (known && T === 1) return known;
    const made = new Float64Array(world.words.length);
    wordLogits(net, context, units, made);
    toLogSoftmax(made, T);
    if (keep && T === 1) kept.set(key, made);
    return made;
  };
}

// A text after the prompt of a time; a draw for each word, and at temperature 0 the likeliest words.
export function speak(speaker, world, time, T, draws) {
  const tokens = world.every[3 * time].slice(0, PROMPT_TOKENS);
  for (let word = 0; word < world.plan.longest; word++) {
    const logP = speaker(contextAt(tokens, tokens.length - 1), T);
    tokens.push(T === 0 ? logP.indexOf(Math.max(...logP)) : drawnWord(logP, draws[word]));
    if (tokens.at(-1) === STOP) break;
  }
  return tokens;
}

function drawnWord(logP, draw) {
  let reached = 0, total = 0;
  for (let c = 0; c < logP.length; c++) total += Math.exp(logP[c]);
  for (let c = 0; c < logP.length; c++) {
    reached += Math.exp(logP[c]);
    if (reached > draw * total) return c;
  }
  return logP.length - 1;
}

// --- What a network is worth: all 432 right texts counted, at each temperature of the reading. ---

export function judge(net, world) {
  const exam = new Exam(net, world);
  while (!exam.done) exam.advance();
  return exam.rows();
}

// The same in small pieces, text by text.
class Exam {
  #net;
  #world;
  #next = 0;
  #units;
  #logits;
  #logP;

  constructor(net, world) {
    this.#net = net;
    this.#world = world;
    this.#units = new Float64Array(net.units);
    this.#logits = new Float64Array(world.words.length);
    this.#logP = world.readOut.map(() => new Float64Array(world.every.length));
  }

  get done() {
    return this.#next >= this.#world.every.length;
  }

  advance() {
    const { readOut, every, endings } = this.#world, n = this.#next++, tokens = every[n];
    for (let place = PROMPT_TOKENS; place < endings[n]; place++) {
      wordLogits(this.#net, contextAt(tokens, place - 1), this.#units, this.#logits);
      const highest = Math.max(...this.#logits);
      readOut.forEach((T, row) => {
        this.#logP[row][n] += logShare(this.#logits, tokens[place], highest, T);
      });
    }
  }

  rows() {
    return this.#logP.map((each) => judged(each, this.#world.shares));
  }
}

// log softmax(logits / T) of one word. At 0 words that tie share evenly.
function logShare(logits, word, highest, T) {
  let sum = 0;
  if (T === 0) {
    for (let c = 0; c < logits.length; c++) sum += logits[c] === highest;
    return logits[word] === highest ? -Math.log(sum) : -Infinity;
  }
  for (let c = 0; c < logits.length; c++) sum += Math.exp((logits[c] - highest) / T);
  return (logits[word] - highest) / T - Math.log(sum);
}

function judged(logP, shares) {
  const times = logP.length / 3, masses = [0, 0, 0];
  let kl = 0, styles = 0;
  for (let time = 0; time < times; time++) {
    const own = logP.subarray(3 * time, 3 * time + 3), p = own.map(Math.exp);
    const right = p[0] + p[1] + p[2];
    // Through logarithms, since where a student knows nothing all three may be too small to be divided.
    const highest = Math.max(...own), given = own.map((each) => Math.exp(each - highest));
    const whole = given[0] + given[1] + given[2];
    let entropy = 0;
    for (let style = 0; style < 3; style++) {
      masses[style] += p[style] / times;
      kl += shares[style] * (Math.log(shares[style]) - own[style]) / times;
      const share = given[style] / whole;
      if (right > 0 && share > 0) entropy -= share * Math.log(share);
    }
    styles += Math.exp(entropy) / times;
  }
  return { right: masses[0] + masses[1] + masses[2], kl, styles, masses };
}

// --- A path: a student on its way. ---

export class LanguagePath {
  #adam;
  #next;
  #speaker;
  #exam = null;

  constructor(world, settings) {
    this.world = world;
    this.settings = settings;
    this.step = 0;
    this.net = beginning(world, settings);
    this.gradient = netOf(world, new Float64Array(this.net.weights.length));
    this.#adam = new Adam(this.net.weights);
    this.#next = random(settings.seed, "texts");
    this.#speaker = speakerOf(this.net, world);
    world.teacherSays ??= speakerOf(world.teacher, world, true);
    this.records = [judge(this.net, world)];
  }

  get done() {
    return this.step >= this.world.plan.steps && !this.due;
  }

  // Whether a record is due before the next step.
  get due() {
    return this.step / this.world.plan.every >= this.records.length;
  }

  // The next piece of work: a step, or, where a record is due, to count one text more.
  work() {
    if (!this.due) return this.advance();
    this.#exam ??= new Exam(this.net, this.world);
    this.#exam.advance();
    if (!this.#exam.done) return;
    this.records.push(this.#exam.rows());
    this.#exam = null;
  }

  advance() {
    const { plan, teacherSays } = this.world, { beta } = this.settings;
    const lessons = this.#texts().flatMap((tokens) =>
      tokens.slice(PROMPT_TOKENS).map((word, n) => [contextAt(tokens, n + 1), word])
    );
    const units = new Float64Array(this.net.units), back = new Float64Array(this.world.words.length),
      logP = new Float64Array(back.length);
    this.gradient.weights.fill(0);
    for (const [context, word] of lessons) {
      wordLogits(this.net, context, units, logP);
      toLogSoftmax(logP);
      wordGradient(logP, beta === null ? null : teacherSays(context), beta, word, back);
      for (let c = 0; c < back.length; c++) back[c] /= lessons.length;
      addGradient(this.net, context, units, back, this.gradient);
    }
    this.#adam.step(this.gradient.weights, plan.rate * cosine(this.step, plan.steps));
    this.step += 1;
  }

  // The texts of a step. Whoever writes, as many numbers are drawn: so all read of the same times.
  #texts() {
    const { plan } = this.world;
    return Array.from({ length: plan.texts }, () => {
      const draws = Array.from({ length: 1 + plan.longest }, this.#next);
      return this.#text(Math.floor(draws[0] * this.world.times.length), draws.slice(1));
    });
  }

  #text(time, draws) {
    const { world, settings: { text } } = this, { every, endings, shares } = world;
    if (text === "data") {
      const n = 3 * time + (draws[0] < shares[0] ? 0 : draws[0] < shares[0] + shares[1] ? 1 : 2);
      return every[n].slice(0, endings[n]);
    }
    if (text === "own") return speak(this.#speaker, world, time, 1, draws);
    return speak(world.teacherSays, world, time, text === "greedy" ? 0 : 1, draws);
  }
}

// The network of a start: the one that is carried, or weights by seed.
function beginning(world, { start, seed }) {
  const net = netOf(world, world.warm.weights.slice());
  if (start === "warm") return net;
  const next = random(seed, "cold start");
  const fill = (weights, inputs) => {
    for (let i = 0; i < weights.length; i++) weights[i] = (2 * next() - 1) / Math.sqrt(inputs);
  };
  fill(net.embedding, 1);
  for (const part of [net.hidden, net.hiddenBias]) fill(part, READS * WIDTH);
  for (const part of [net.out, net.outBias]) fill(part, net.units);
  return net;
}

// --- Looking at one time of day. ---

// A text, and what is wrong with it: nothing, the time, or all of it; from which of its words on.
export function heard(world, tokens, time) {
  const end = tokens.length, found = world.timeOf.get(said(tokens, end));
  const rights = [0, 1, 2].map((style) => world.every[3 * time + style]);
  const fits = (right) => tokens.findIndex((token, n) => right[n] !== token);
  const wrongFrom = Math.max(...rights.map((right) => (fits(right) < 0 ? end : fits(right)))) - PROMPT_TOKENS;
  const spoken = tokens.slice(PROMPT_TOKENS).filter((token) => token !== STOP).map((token) =>
    world.words[token]
  );
  return { spoken, wrongFrom,
    fault: found === time ? "" : found === undefined ? "not of the language" : "another time" };
}

// The three right texts of a time as a tree. `voices` are speakers, each with its temperature; each word has
// its probability for each of them, given the words before it, and each text the probability of all its words.
export function treeOf(world, time, voices) {
  const rows = [0, 1, 2].map((style) => {
    const n = 3 * time + style, tokens = world.every[n].slice(0, world.endings[n]);
    const steps = tokens.slice(PROMPT_TOKENS).map((token, place) => ({
      word: world.words[token],
      shares: voices.map(([speaker, T]) => {
        const logP = speaker(contextAt(tokens, place + 1), T);
        return (T === 0 ? sharpest(logP) : logP.map(Math.exp))[token];
      }),
    }));
    return { steps,
      whole: voices.map((_, who) => steps.reduce((made, { shares }) => made * shares[who], 1)) };
  });
  return { rows, others: voices.map((_, who) => 1 - rows.reduce((sum, { whole }) => sum + whole[who], 0)) };
}

function sharpest(logits) {
  const highest = Math.max(...logits), ties = logits.filter((each) => each === highest).length;
  return logits.map((each) => (each === highest) / ties);
}
