// Numbers, in the reader's words and as the explorers compute with them.

export function clamp(value, low, high) {
  return Math.min(Math.max(value, low), high);
}

export function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

export function largestIndex(values) {
  return values.reduce((best, value, i) => (value > values[best] ? i : best), 0);
}

export function norm(vector) {
  return Math.hypot(...vector);
}

export function logSoftmax(logits, T = 1) {
  const scaled = Array.from(logits, (z) => z / T);
  // Without the largest taken out first, exp would overflow.
  const top = Math.max(...scaled);
  const logTotal = top + Math.log(scaled.reduce((sum, z) => sum + Math.exp(z - top), 0));
  return scaled.map((z) => z - logTotal);
}

export function softmax(logits, T = 1) {
  return logSoftmax(logits, T).map(Math.exp);
}

export function minus(text) {
  return String(text).replace("-", "−");
}

export function signed(value, digits = 1) {
  const text = Math.abs(value).toFixed(digits);
  return Number(text) === 0 ? text : `${value > 0 ? "+" : "−"}${text}`;
}

// So many decimals, without a sign before zero; a dash where there is no number.
export function decimals(value, digits = 2) {
  return value === null ? "–" : signed(value, digits).replace("+", "");
}

// Three significant digits, at most four decimals.
export function threeDigits(value) {
  const places = clamp(2 - Math.floor(Math.log10(Math.abs(value))), 0, 4);
  return Math.abs(value) < 5e-5 ? "0" : minus(value.toFixed(places));
}

export function percent(fraction, digits = 0, space = " ") {
  return fraction === null ? "–" : `${(100 * fraction).toFixed(digits)}${space}%`;
}

export function capital(text) {
  return text[0].toUpperCase() + text.slice(1);
}

export function aClass(name) {
  return `${/^(8|[aeiou])/i.test(name) ? "an" : "a"} ${name}`;
}

export function listed(names) {
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}
