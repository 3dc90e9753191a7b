// Arrays as Python packed them: "int16 3,100 1 AAAB...", kind, shape, scale and numbers in base64. What the
// kinds are, and how far a number may be off, is told in wire.py.

const FLOATS = { float32: Float32Array, float64: Float64Array };

// `values` one after another; `at(i, j)` are those of the entry i, and in it j; `at()` all of them.
export function unpack(text) {
  const [dtype, sizes, scale, data] = text.split(" ");
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const shape = sizes.split(",").map(Number);
  const [, kind, bits] = dtype.match(/(\D+)(\d+)/);
  const values = FLOATS[dtype] ? new FLOATS[dtype](bytes.buffer) : kind === "float"
    ? Float64Array.from(wholes(bytes, 16, bytes.length / 2), half)
    : scaled(wholes(bytes, Number(bits), shape.reduce((a, b) => a * b)), kind, bits, Number(scale));
  const at = (...index) => {
    let first = 0, size = values.length;
    index.forEach((row, axis) => {
      if (!(row >= 0 && row < shape[axis])) throw new RangeError(`no entry ${row} among ${shape[axis]}`);
      size /= shape[axis];
      first += row * size;
    });
    return values.subarray(first, first + size);
  };
  return { shape, values, at };
}

// A trait that Python declared as an `Array`.
export function arrayOf(model, name) {
  return unpack(model.get(name));
}

// Whole numbers of so many bits each, the highest bit first.
function wholes(bytes, bits, count) {
  const numbers = new Uint16Array(count);
  let held = 0, rest = 0, next = 0;
  for (let i = 0; i < count; i++) {
    for (; held < bits; held += 8) rest = (rest << 8) | bytes[next++];
    held -= bits;
    numbers[i] = rest >>> held;
    rest &= (1 << held) - 1;
  }
  return numbers;
}

function scaled(numbers, kind, bits, scale) {
  const most = 2 ** (kind === "uint" ? bits : bits - 1) - 1, low = kind === "uint" ? 0 : most;
  return Float64Array.from(numbers, (number) => (number - low) * (scale / most));
}

// A number in half precision, of its 16 bits with the two bytes exchanged: they come the lower one first.
function half(swapped) {
  const bits = ((swapped & 255) << 8) | (swapped >> 8);
  const exponent = (bits >> 10) & 31, fraction = (bits & 1023) / 1024;
  const size = exponent ? 2 ** (exponent - 15) * (1 + fraction) : 2 ** -14 * fraction;
  return bits & 32768 ? -size : size;
}
