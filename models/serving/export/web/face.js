"use strict";
/* A picture's bytes -> the face that the network takes, as Pillow makes it for `predict`: upright, on white, grey, 48x48. */
const SIDE = 48;
const PRECISION = 22; // bits behind the point of Pillow's weights
const HALF = 1 << (PRECISION - 1);

/** Return {width, height, grey}: brightness, a byte a pixel, of the picture in the Blob `picture`. */
async function readGrey(picture) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(picture, {
      imageOrientation: "from-image", colorSpaceConversion: "none", premultiplyAlpha: "none",
    });
  } catch {
    throw new Error("expected a picture such as a PNG or JPEG, found none that this browser decodes");
  }
  const { width, height } = bitmap;
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "white";
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const { data } = context.getImageData(0, 0, width, height);
  const grey = new Uint8Array(width * height);
  for (let i = 0, at = 0; i < grey.length; i++, at += 4) {
    grey[i] = (19595 * data[at] + 38470 * data[at + 1] + 7471 * data[at + 2] + 32768) >> 16;
  }
  return { width, height, grey };
}

/** Return the part of a grey picture in the square {left, top, side}. */
function cut({ width, grey }, { left, top, side }) {
  const part = new Uint8Array(side * side);
  for (let row = 0; row < side; row++) {
    const from = (top + row) * width + left;
    part.set(grey.subarray(from, from + side), row * side);
  }
  return { width: side, height: side, grey: part };
}

/** Return, for each of `target` pixels of a row of `size`, the first pixel it is made of and the weights from there on. */
function weights(size, target) {
  const scale = size / target;
  const support = Math.max(scale, 1);
  const found = [];
  for (let i = 0; i < target; i++) {
    const center = (i + 0.5) * scale;
    const first = Math.max(0, Math.trunc(center - support + 0.5));
    const end = Math.min(size, Math.trunc(center + support + 0.5));
    const shares = [];
    for (let x = first; x < end; x++) shares.push(Math.max(0, 1 - Math.abs((x - center + 0.5) / support)));
    const sum = shares.reduce((a, b) => a + b, 0);
    found.push({ first, shares: shares.map((share) => Math.trunc((share / sum) * 2 ** PRECISION + 0.5)) });
  }
  return found;
}

/** Return `grey`, `rows` rows of `size` pixels, with `target` pixels a row, turned on its side. */
function narrowed(grey, size, rows, target) {
  const made = new Uint8Array(rows * target);
  weights(size, target).forEach(({ first, shares }, i) => {
    for (let row = 0; row < rows; row++) {
      let sum = HALF;
      for (let k = 0; k < shares.length; k++) sum += grey[row * size + first + k] * shares[k];
      made[i * rows + row] = Math.min(255, sum >> PRECISION);
    }
  });
  return made;
}

/** Return a grey picture as the network takes it: a Uint8Array of 48x48. */
function faceOf({ width, height, grey }) {
  if (width === SIDE && height === SIDE) return grey;
  return narrowed(narrowed(grey, width, height, SIDE), height, SIDE, SIDE);
}
