// Digits that a program draws from a seed: strokes of a few hands, bent, slanted and thick by chance, and put into
// MNIST's form: ink in a box of 20 pixels, centred by its mass in 28 x 28.

import { SIDE } from "./gradient.js";

/** @import { Lesson } from "./types.d.ts" */

/** @typedef {number[][]} Points right and down, in hundredths */

const BOX = 20;
const BETWEEN = 6; // pieces of a curve between two of its points

/**
 * The hands: for each digit some ways to write it, each a list of strokes.
 * @type {Points[][][]}
 */
const HANDS = [
  [[[[50, 5], [22, 22], [15, 55], [30, 88], [55, 94], [80, 75], [85, 40], [72, 12], [50, 5]]],
   [[[60, 8], [30, 10], [14, 45], [26, 85], [52, 92], [78, 66], [76, 28], [48, 4]]]],
  [[[[50, 5], [50, 50], [50, 95]]],
   [[[32, 24], [52, 6], [52, 50], [52, 95]]],
   [[[34, 22], [52, 6], [52, 50], [52, 93]], [[30, 94], [52, 94], [74, 94]]]],
  [[[[20, 28], [38, 8], [66, 10], [74, 32], [50, 60], [18, 92], [50, 90], [84, 92]]],
   [[[22, 26], [45, 6], [72, 22], [60, 52], [26, 86], [18, 74], [40, 72], [60, 90], [84, 82]]]],
  [[[[20, 18], [45, 6], [70, 18], [64, 40], [42, 48], [70, 58], [76, 80], [48, 95], [18, 84]]],
   [[[22, 10], [50, 9], [76, 10], [60, 28], [44, 44], [72, 54], [72, 82], [44, 94], [18, 82]]]],
  [[[[34, 6], [24, 34], [16, 58], [50, 58], [84, 56]], [[64, 34], [63, 66], [60, 95]]],
   [[[62, 6], [38, 32], [14, 64], [50, 63], [86, 62]], [[64, 8], [63, 50], [62, 95]]],
   [[[20, 8], [20, 34], [30, 52], [58, 50], [74, 40]], [[76, 6], [74, 50], [70, 95]]]],
  [[[[76, 8], [50, 8], [30, 9], [27, 28], [25, 44], [52, 40], [76, 56], [72, 82], [44, 95], [18, 86]]],
   [[[30, 8], [28, 26], [26, 44], [54, 42], [74, 62], [62, 88], [36, 94], [16, 84]], [[30, 9], [52, 8], [80, 7]]]],
  [[[[68, 6], [40, 24], [22, 56], [26, 84], [50, 95], [74, 80], [68, 58], [44, 54], [26, 70]]],
   [[[54, 4], [34, 34], [26, 68], [38, 92], [64, 90], [70, 68], [50, 58], [30, 70]]]],
  [[[[18, 10], [50, 9], [82, 10], [64, 40], [50, 66], [42, 95]]],
   [[[18, 10], [50, 9], [80, 10], [62, 40], [48, 66], [40, 95]], [[34, 50], [54, 49], [74, 48]]],
   [[[18, 22], [20, 10], [50, 10], [80, 9], [66, 40], [58, 66], [54, 95]]]],
  [[[[70, 18], [46, 5], [26, 20], [42, 44], [70, 66], [66, 90], [42, 95], [22, 80], [36, 56], [64, 38], [70, 18]]],
   [[[48, 48], [26, 30], [36, 8], [62, 8], [72, 28], [48, 48], [22, 70], [34, 93], [64, 93], [76, 70], [48, 48]]]],
  [[[[72, 26], [52, 8], [28, 18], [24, 42], [48, 50], [70, 34], [72, 22], [72, 56], [68, 95]]],
   [[[70, 16], [44, 6], [26, 26], [38, 48], [64, 40], [72, 18], [72, 54], [60, 86], [34, 94], [20, 82]]]],
]; // prettier-ignore

/**
 * Numbers from 0 to 1, the same for the same seed (a multiplication with carry of 32 bits; Marsaglia's).
 * @type {(seed: number) => () => number}
 */
export function randomFrom(seed) {
  let [z, w] = [362436069 ^ seed, 521288629 + seed * 7919];
  const next = () => {
    z = (36969 * (z & 65535) + (z >>> 16)) | 0;
    w = (18000 * (w & 65535) + (w >>> 16)) | 0;
    return (((z << 16) + (w & 65535)) >>> 0) / 2 ** 32;
  };
  for (let i = 0; i < 20; i += 1) next();
  return next;
}

/**
 * The bell curve about 0, with 1 as its spread (Box and Muller's).
 * @type {(random: () => number) => number}
 */
export function bell(random) {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/**
 * As many of each digit, in an order that the seed says.
 * @type {(seed: number, ofEach: number) => Lesson}
 */
export function drawnLesson(seed, ofEach) {
  const random = randomFrom(seed);
  const count = 10 * ofEach;
  const lesson = { images: new Float32Array(count * SIDE * SIDE), labels: new Uint8Array(count) };
  for (let n = 0; n < count; n += 1) {
    lesson.labels[n] = n % 10;
    lesson.images.set(drawn(n % 10, random), n * SIDE * SIDE);
  }
  return lesson;
}

/**
 * One drawing, 28 x 28, 0 = paper, 1 = ink.
 * @type {(digit: number, random: () => number) => Float32Array}
 */
export function drawn(digit, random) {
  const hands = HANDS[digit];
  const hand = hands[Math.floor(random() * hands.length)];
  const [turn, slant, wide] = [0.14 * bell(random), 0.2 * bell(random), Math.exp(0.2 * bell(random))];
  const [cos, sin] = [Math.cos(turn), Math.sin(turn)];
  const strokes = hand.map((points) =>
    curve(
      points.map(([x, y]) => {
        const [right, down] = [x + 3.5 * bell(random) - 50, y + 3.5 * bell(random) - 50];
        const across = (right - slant * down) * wide;
        return [cos * across - sin * down, sin * across + cos * down];
      }),
    ),
  );
  const pen = 2.3 * Math.exp(0.22 * bell(random));
  return centred(fitted(strokes, pen), pen);
}

/**
 * A curve through the points (Catmull and Rom's).
 * @type {(points: Points) => Points}
 */
function curve(points) {
  const ends = [points[0], ...points, points[points.length - 1]];
  const found = [points[0]];
  for (let i = 1; i < ends.length - 2; i += 1) {
    for (let step = 1; step <= BETWEEN; step += 1) {
      const t = step / BETWEEN;
      found.push(
        [0, 1].map((axis) => {
          const [a, b, c, d] = [ends[i - 1][axis], ends[i][axis], ends[i + 1][axis], ends[i + 2][axis]];
          return b + (t / 2) * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * b - a - 3 * c + d)));
        }),
      );
    }
  }
  return found;
}

/**
 * As large as the box of 20 pixels allows, with the pen in it.
 * @type {(strokes: Points[], pen: number) => Points[]}
 */
function fitted(strokes, pen) {
  const all = strokes.flat();
  const [left, top] = [0, 1].map((axis) => Math.min(...all.map((point) => point[axis])));
  const [right, bottom] = [0, 1].map((axis) => Math.max(...all.map((point) => point[axis])));
  const scale = (BOX - pen) / Math.max(right - left, bottom - top);
  return strokes.map((points) => points.map(([x, y]) => [(x - left) * scale, (y - top) * scale]));
}

/**
 * The strokes as ink, with their mass in the middle.
 * @type {(strokes: Points[], pen: number) => Float32Array}
 */
function centred(strokes, pen) {
  let [x, y, length] = [0, 0, 0];
  for (const [[ax, ay], [bx, by]] of strokes.flatMap(pieces)) {
    const piece = Math.hypot(bx - ax, by - ay);
    [x, y, length] = [x + (piece * (ax + bx)) / 2, y + (piece * (ay + by)) / 2, length + piece];
  }
  const shift = [x, y].map((sum) => (SIDE - 1) / 2 - sum / (length || 1));
  const moved = strokes.map((points) => points.map((point) => point.map((place, axis) => place + shift[axis])));
  return inked(moved.flatMap(pieces), pen / 2);
}

/** @type {(points: Points) => Points[]} */
function pieces(points) {
  return points.slice(1).map((point, i) => [points[i], point]);
}

/**
 * Ink by how far a pixel's middle is from the nearest piece.
 * @type {(lines: Points[], radius: number) => Float32Array}
 */
function inked(lines, radius) {
  const image = new Float32Array(SIDE * SIDE);
  for (const [[ax, ay], [bx, by]] of lines) {
    const [right, down] = [bx - ax, by - ay];
    const square = right * right + down * down || 1;
    const reach = radius + 1;
    for (let y = Math.max(0, Math.floor(Math.min(ay, by) - reach)); y <= Math.min(SIDE - 1, Math.max(ay, by) + reach); y += 1) {
      for (let x = Math.max(0, Math.floor(Math.min(ax, bx) - reach)); x <= Math.min(SIDE - 1, Math.max(ax, bx) + reach); x += 1) {
        const t = Math.min(Math.max(((x - ax) * right + (y - ay) * down) / square, 0), 1);
        const far = Math.hypot(x - ax - t * right, y - ay - t * down);
        const ink = Math.min(Math.max(radius + 0.5 - far, 0), 1);
        if (ink > image[y * SIDE + x]) image[y * SIDE + x] = ink;
      }
    }
  }
  return image;
}
