// Logistic regression by Newton's method, small enough to be solved anew at every move of a slider.

function sigmoid(z) {
  return 1 / (1 + Math.exp(-z));
}

function product(matrix, row, vector) {
  const size = vector.length;
  let sum = 0;
  for (let j = 0; j < size; j++) sum += matrix[row * size + j] * vector[j];
  return sum;
}

// The loss at some weights, its slope, and how much it bends in the direction of each sample.
function around(weights, inputs, targets, penalty) {
  const size = weights.length, count = targets.length, bends = new Float64Array(count);
  const slope = weights.map((weight) => penalty * weight);
  let loss = penalty / 2 * weights.reduce((sum, weight) => sum + weight * weight, 0);
  for (let i = 0; i < count; i++) {
    const logit = product(inputs, i, weights), said = sigmoid(logit), off = (said - targets[i]) / count;
    loss += (Math.log1p(Math.exp(-Math.abs(logit))) + Math.max(logit, 0) - targets[i] * logit) / count;
    bends[i] = said * (1 - said) / count;
    for (let j = 0; j < size; j++) slope[j] += off * inputs[i * size + j];
  }
  return { loss, slope, bends };
}

// Cholesky's factor of the matrix of second derivatives, in its upper half.
function factored(bends, inputs, penalty, size) {
  const h = new Float64Array(size * size);
  for (let j = 0; j < size; j++) h[j * size + j] = penalty;
  for (let i = 0; i < bends.length; i++) {
    for (let j = 0; j < size; j++) {
      const part = bends[i] * inputs[i * size + j];
      for (let k = j; k < size; k++) h[j * size + k] += part * inputs[i * size + k];
    }
  }
  for (let j = 0; j < size; j++) {
    const pivot = Math.sqrt(h[j * size + j]);
    for (let k = j; k < size; k++) h[j * size + k] /= pivot;
    for (let i = j + 1; i < size; i++) {
      const part = h[j * size + i];
      for (let k = i; k < size; k++) h[i * size + k] -= part * h[j * size + k];
    }
  }
  return h;
}

function solved(factor, right) {
  const size = right.length, x = Float64Array.from(right);
  for (let j = 0; j < size; j++) {
    x[j] /= factor[j * size + j];
    for (let i = j + 1; i < size; i++) x[i] -= factor[j * size + i] * x[j];
  }
  for (let i = size - 1; i >= 0; i--) {
    for (let k = i + 1; k < size; k++) x[i] -= factor[i * size + k] * x[k];
    x[i] /= factor[i * size + i];
  }
  return x;
}

// The weights that make the mean cross-entropy with the targets plus penalty / 2 |w|² least. The second
// derivatives, which take nearly all the time, are kept while the steps shrink fast; a step too far is halved.
export function fitted(inputs, targets, penalty, start) {
  let weights = Float64Array.from(start), here = around(weights, inputs, targets, penalty);
  let factor = null, before = Infinity;
  for (let turn = 0; turn < 200; turn++) {
    factor ??= factored(here.bends, inputs, penalty, weights.length);
    let step = solved(factor, here.slope);
    const largest = step.reduce((most, part) => Math.max(most, Math.abs(part)), 0);
    const moved = () => weights.map((weight, j) => weight - step[j]);
    if (largest < 1e-8) return moved();
    let next = moved(), there = around(next, inputs, targets, penalty);
    // Not below what rounding does to a loss.
    while (there.loss > here.loss + 1e-12) {
      step = step.map((part) => part / 2);
      next = moved();
      there = around(next, inputs, targets, penalty);
    }
    if (largest > before / 4) factor = null;
    [weights, here, before] = [next, there, largest];
  }
  throw new Error("the student has not settled in 200 steps");
}

// How often the sign of <w, x> is the label, in percent, over all inputs there could be.
export function exactAccuracy(weights, { values, shape }) {
  const size = Math.hypot(...weights);
  let angles = 0;
  for (let row = 0; row < shape[0]; row++) angles += Math.asin(product(values, row, weights) / size);
  return 100 * (0.5 + angles / shape[0] / Math.PI);
}

// What the student is told of each sample.
export function blendedTargets(labels, teacher, share, temperature) {
  return Float64Array.from(teacher,
    (logit, i) => (1 - share) * labels[i] + share * sigmoid(logit / temperature));
}
