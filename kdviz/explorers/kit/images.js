// Pictures of pixels: the images of an explorer, matrices as pictures, and the choice of an image.

import { html, INK, markChosen, radio, radioGroup, STUDENT, TEACHER } from "./elements.js";
import { clamp } from "./numbers.js";
import { arrayOf } from "./wire.js";

export const WHITE = [255, 255, 255];

function rgb(colour) {
  return [1, 3, 5].map((first) => parseInt(colour.slice(first, first + 2), 16));
}

export function mix(from, to, fraction) {
  return from.map((part, i) => Math.round(part + (to[i] - part) * clamp(fraction, 0, 1)));
}

// From paper to ink, and to the colour of whom a difference is in favour of.
export function grey(fraction) {
  return mix(WHITE, rgb(INK), fraction);
}

export function tint(fraction) {
  return mix(WHITE, rgb(fraction > 0 ? STUDENT : TEACHER), Math.abs(fraction));
}

export function fillPixels(canvas, [height, width], colourOf) {
  // Setting even the same size again would give the canvas new memory.
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const image = new ImageData(width, height);
  for (let pixel = 0; pixel < width * height; pixel++) image.data.set([...colourOf(pixel), 255], 4 * pixel);
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

// Such a picture as an address that an <image> can show.
export function pixelPicture(shape, colourOf) {
  return fillPixels(html("canvas"), shape, colourOf).toDataURL();
}

// The images of an explorer: their shape, and each as the colour of a pixel.
export function imagesOf(model) {
  const { shape: [count, height = 0, width = 0, parts = 1], values } = arrayOf(model, "images");
  const byte = (value) => Math.round(255 * value), size = height * width * parts;
  const colours = Array.from({ length: size ? count : 0 }, (_, i) => (pixel) => {
    const from = i * size + pixel * parts;
    return parts === 3
      ? Array.from(values.subarray(from, from + 3), byte)
      : Array(3).fill(255 - byte(values[from]));
  });
  return { shape: [height, width], colours,
    addresses: () => colours.map((each) => pixelPicture([height, width], each)) };
}

// The images to choose from, as one group of radio buttons; `name` says what each shows.
export function imagePicker({ shape, colours }, name, choose) {
  const thumbnails = colours.map((colourOf, i) => {
    const canvas = fillPixels(html("canvas", { "aria-hidden": "true" }), shape, colourOf);
    return radio(canvas, { class: "thumbnail",
      "aria-label": `image ${i + 1} of ${colours.length}, ${name(i)}` });
  });
  const element = radioGroup("Image", "thumbnails", thumbnails, choose);
  return { element, draw: (chosen) => markChosen(thumbnails, chosen) };
}

// Whether a colour is nearer to ink than to paper, as the eye weighs red, green and blue.
export function isDark([red, green, blue]) {
  return 0.299 * red + 0.587 * green + 0.114 * blue < 127.5;
}

// The border of a set of pixels, as lines of a picture of that many rows and columns.
export function outline(inside, [rows, columns], across, down) {
  const has = (row, column) =>
    row >= 0 && row < rows && column >= 0 && column < columns && inside(row * columns + column);
  let path = "";
  for (let row = 0; row <= rows; row++) {
    for (let column = 0; column <= columns; column++) {
      if (has(row, column) !== has(row - 1, column)) path += `M${column * across} ${row * down}h${across}`;
      if (has(row, column) !== has(row, column - 1)) path += `M${column * across} ${row * down}v${down}`;
    }
  }
  return path;
}

// What the ends of a scale of colours stand for.
export function colourKey(className) {
  const [low, high] = [html("span"), html("span")];
  const element = html("div", { class: "key" }, low, html("i", { class: className }), high);
  return { element, draw: (from, to) => [low.textContent, high.textContent] = [from, to] };
}
