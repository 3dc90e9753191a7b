// A network of convolutions on square maps, small enough to answer at every move.

import { unpack } from "../kit/wire.js";

export function unpackedLayers(layers) {
  return layers.map(({ weights, bias, ...rest }) => {
    const { shape: [outputs, inputs, reach], values } = unpack(weights);
    return { outputs, inputs, reach, values, bias: unpack(bias).values, ...rest };
  });
}

// Maps { size, values } with the channels one after another.
function convolved(maps, { outputs, inputs, reach, values, bias, stride, padding, rectified }) {
  const size = Math.floor((maps.size + 2 * padding - reach) / stride) + 1, area = maps.size ** 2;
  const found = new Float64Array(outputs * size * size);
  for (let o = 0; o < outputs; o++) {
    for (let row = 0; row < size; row++) {
      for (let column = 0; column < size; column++) {
        let sum = bias[o];
        for (let i = 0; i < inputs; i++) {
          for (let down = 0; down < reach; down++) {
            const y = row * stride + down - padding;
            if (y < 0 || y >= maps.size) continue;
            for (let right = 0; right < reach; right++) {
              const x = column * stride + right - padding;
              if (x < 0 || x >= maps.size) continue;
              sum += values[((o * inputs + i) * reach + down) * reach + right]
                * maps.values[i * area + y * maps.size + x];
            }
          }
        }
        found[(o * size + row) * size + column] = rectified ? Math.max(sum, 0) : sum;
      }
    }
  }
  return { size, values: found };
}

// torch's PixelShuffle: so many channels become one map with as many more rows and columns.
function shuffledPixels({ size, values }, by) {
  const wide = size * by, found = new Float64Array(values.length);
  const channels = values.length / wide ** 2;
  for (let c = 0; c < channels; c++) {
    for (let y = 0; y < wide; y++) {
      for (let x = 0; x < wide; x++) {
        const from = c * by * by + (y % by) * by + (x % by);
        const place = Math.floor(y / by) * size + Math.floor(x / by);
        found[(c * wide + y) * wide + x] = values[from * size * size + place];
      }
    }
  }
  return { size: wide, values: found };
}

// The logits of every class at every pixel, class after class.
export function mapsOf(layers, ink, size) {
  return layers.reduce((maps, layer) => {
    const next = convolved(maps, layer);
    return layer.shuffle > 1 ? shuffledPixels(next, layer.shuffle) : next;
  }, { size, values: ink }).values;
}

export function classesOf(maps, pixels) {
  const classes = maps.length / pixels;
  return Array.from({ length: pixels }, (_, pixel) => {
    let best = 0;
    for (let c = 1; c < classes; c++) {
      if (maps[c * pixels + pixel] > maps[best * pixels + pixel]) best = c;
    }
    return best;
  });
}
