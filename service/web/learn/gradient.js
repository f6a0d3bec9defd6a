// The lecture's network of one layer, and how each of its weights changes the loss: training/networks/lecture.py, in
// JavaScript. tanh bends the sums, a pooling of 2 x 2 keeps the largest of four, and a linear layer reads the rest.

/** @import { Gradients, Lesson, LessonNetwork } from "./types.d.ts" */

export const SIDE = 28;
export const FILTERS = 20;
export const SIZE = 7;
const STRIDE = 2;
const POOL = 2;
const PLACES = Math.floor((Math.floor((SIDE - SIZE) / STRIDE) + 1) / POOL); // of a pooled map, in a row: 5
export const AREA = SIZE * SIZE;
const POOLED = PLACES * PLACES;
export const READ = FILTERS * POOLED; // numbers that the linear layer reads: 500
const DIGITS = 10;

// Where each patch that the pooling reads begins in the picture: four after four, in the order of the squares.
const CORNERS = Int32Array.from({ length: POOLED * POOL * POOL }, (_, i) => {
  const [square, part] = [Math.floor(i / 4), i % 4];
  const row = POOL * Math.floor(square / PLACES) + (part >> 1);
  const column = POOL * (square % PLACES) + (part & 1);
  return STRIDE * (row * SIDE + column);
});
const CELLS = Int32Array.from({ length: AREA }, (_, i) => Math.floor(i / SIZE) * SIDE + (i % SIZE));

/**
 * Weights of the right shapes, all 0.
 * @type {() => LessonNetwork}
 */
export function zeros() {
  return {
    filters: new Float64Array(FILTERS * AREA),
    bias: new Float64Array(FILTERS),
    head: new Float64Array(DIGITS * READ),
    headBias: new Float64Array(DIGITS),
  };
}

/**
 * What the network makes of one picture: the largest sum of every square after tanh, where it was, and the shares.
 * @type {(network: LessonNetwork, image: ArrayLike<number>, start?: number) => { pooled: Float64Array,
 *   largest: Int32Array, shares: Float64Array }}
 */
export function look(network, image, start = 0) {
  const { filters, bias, head, headBias } = network;
  const [pooled, largest] = [new Float64Array(READ), new Int32Array(READ)];
  const patch = new Float64Array(AREA);
  pooled.fill(-Infinity);
  for (let place = 0; place < CORNERS.length; place += 1) {
    const from = start + CORNERS[place];
    let isPaper = true;
    for (let i = 0; i < AREA; i += 1) {
      patch[i] = image[from + CELLS[i]];
      if (patch[i] !== 0) isPaper = false;
    }
    for (let filter = 0; filter < FILTERS; filter += 1) {
      let sum = bias[filter];
      if (!isPaper) for (let i = 0, w = filter * AREA; i < AREA; i += 1) sum += patch[i] * filters[w + i];
      const at = filter * POOLED + (place >> 2);
      if (sum > pooled[at]) {
        pooled[at] = sum;
        largest[at] = CORNERS[place];
      }
    }
  }
  for (let i = 0; i < READ; i += 1) pooled[i] = Math.tanh(pooled[i]);
  const shares = new Float64Array(DIGITS);
  for (let digit = 0; digit < DIGITS; digit += 1) {
    let logit = headBias[digit];
    for (let i = 0, w = digit * READ; i < READ; i += 1) logit += head[w + i] * pooled[i];
    shares[digit] = logit;
  }
  const most = Math.max(...shares);
  let total = 0;
  for (let digit = 0; digit < DIGITS; digit += 1) total += shares[digit] = Math.exp(shares[digit] - most);
  for (let digit = 0; digit < DIGITS; digit += 1) shares[digit] /= total;
  return { pooled, largest, shares };
}

/**
 * How the mean loss of some of the pictures changes with each weight.
 *
 * A filter meets every patch. So its gradient is the sum over all patches, each weighted by how much the loss would
 * change if the sum there were larger; that is 0 where the pooling kept another of its four.
 * @type {(network: LessonNetwork, lesson: Lesson, chosen: ArrayLike<number>) => Gradients}
 */
export function gradients(network, { images, labels }, chosen) {
  const slope = zeros();
  const blame = new Float64Array(DIGITS);
  let loss = 0;
  for (let n = 0; n < chosen.length; n += 1) {
    const start = chosen[n] * SIDE * SIDE;
    const label = labels[chosen[n]];
    const { pooled, largest, shares } = look(network, images, start);
    loss -= Math.log(Math.max(shares[label], Number.MIN_VALUE)) / chosen.length;
    for (let digit = 0; digit < DIGITS; digit += 1) {
      blame[digit] = (shares[digit] - (digit === label ? 1 : 0)) / chosen.length;
      slope.headBias[digit] += blame[digit];
    }
    for (let i = 0; i < READ; i += 1) {
      let share = 0;
      for (let digit = 0, w = i; digit < DIGITS; digit += 1, w += READ) {
        share += blame[digit] * network.head[w];
        slope.head[w] += blame[digit] * pooled[i];
      }
      share *= 1 - pooled[i] * pooled[i]; // the slope of tanh
      const filter = Math.floor(i / POOLED);
      slope.bias[filter] += share;
      const [w, from] = [filter * AREA, start + largest[i]];
      for (let cell = 0; cell < AREA; cell += 1) slope.filters[w + cell] += share * images[from + CELLS[cell]];
    }
  }
  return { ...slope, loss };
}

/**
 * The share of pictures that are read right.
 * @type {(network: LessonNetwork, lesson: Lesson) => number}
 */
export function accuracy(network, { images, labels }) {
  let right = 0;
  for (let n = 0; n < labels.length; n += 1) {
    const { shares } = look(network, images, n * SIDE * SIDE);
    if (shares.indexOf(Math.max(...shares)) === labels[n]) right += 1;
  }
  return right / labels.length;
}
