// numbers/ computes: it knows no page, no state and no service.
//
// This file does the sums behind a cell again, so that they can be shown. Each is compared with the service's answer.

/** @import { Box, Field, Layer, Part, Plane, Probabilities, Tensor, Values } from "./types.d.ts" */

/**
 * The place of one map inside a layer's answer: {rows, columns, start}.
 * @type {(tensor: { shape: number[] }, filter: number) => Plane}
 */
export function mapOf({ shape }, filter) {
  const [rows, columns] = shape.slice(-2);
  return { rows, columns, start: filter * rows * columns };
}

/**
 * [filter, row, column] of the greatest value of a layer's maps, or of one of them.
 * @type {(maps: Tensor, filter?: number | null) => [number, number, number]}
 */
export function greatest({ shape: [, rows, columns], data }, filter = null) {
  const size = rows * columns;
  const [start, end] = filter === null ? [0, data.length] : [filter * size, (filter + 1) * size];
  let best = start;
  for (let i = start; i < end; i += 1) if (data[i] > data[best]) best = i;
  return [Math.floor(best / size), Math.floor((best % size) / columns), best % columns];
}

/**
 * What an activation makes of a sum.
 * @type {(name: string, value: number) => number}
 */
export function activate(name, value) {
  if (name === "relu") return Math.max(value, 0);
  return name === "tanh" ? Math.tanh(value) : value;
}

/**
 * The window of its layer's input that one cell reads; top and left may lie in the padding.
 * layer: as GET /v1/models/{m} describes it
 * @type {(layer: Pick<Layer, "kernel" | "stride" | "pads">, row: number, column: number) => Box}
 */
export function windowOf(layer, row, column) {
  const [top, left] = layer.pads;
  return {
    top: row * layer.stride[0] - top,
    left: column * layer.stride[1] - left,
    height: layer.kernel[0],
    width: layer.kernel[1],
  };
}

/**
 * Cut a window out of one plane. What lies outside is padding: `outside`, and listed in `padding`.
 * @type {(values: Values, plane: { rows: number, columns: number, start?: number }, box: Box,
 *   outside?: number) => { patch: Float32Array, padding: Set<number> }}
 */
export function cut(values, { rows, columns, start = 0 }, { top, left, height, width }, outside = 0) {
  const patch = new Float32Array(height * width);
  const padding = new Set();
  for (let i = 0; i < height; i += 1) {
    for (let j = 0; j < width; j += 1) {
      const [y, x] = [top + i, left + j];
      const isInside = y >= 0 && x >= 0 && y < rows && x < columns;
      patch[i * width + j] = isInside ? values[start + y * columns + x] : outside;
      if (!isInside) padding.add(i * width + j);
    }
  }
  return { patch, padding };
}

/**
 * Products, cell by cell, and their sum.
 * @type {(patch: Values, weights: Values, start?: number) => { products: Float32Array, sum: number }}
 */
export function multiply(patch, weights, start = 0) {
  const products = new Float32Array(patch.length);
  let sum = 0;
  for (let i = 0; i < patch.length; i += 1) {
    products[i] = patch[i] * weights[start + i];
    sum += patch[i] * weights[start + i];
  }
  return { products, sum };
}

/**
 * One cell of a convolution: per channel its patch, products and sum, then bias and the total.
 * input: {shape: [C, h, w], data}; weights: {shape: [K, C, kh, kw], data}; biases: {data}
 * @type {(layer: Layer, filter: number, row: number, column: number, input: Tensor, weights: Tensor,
 *   biases: Tensor) => { box: Box, parts: Part[], sum: number, bias: number, before: number, after: number }}
 */
export function convolutionCell(layer, filter, row, column, input, weights, biases) {
  const box = windowOf(layer, row, column);
  const [, channels, height, width] = weights.shape;
  const parts = [];
  let total = 0;
  for (let channel = 0; channel < channels; channel += 1) {
    const { patch, padding } = cut(input.data, mapOf(input, channel), box);
    const start = (filter * channels + channel) * height * width;
    const { products, sum } = multiply(patch, weights.data, start);
    parts.push({ channel, patch, padding, products, sum, weights: weights.data.slice(start, start + height * width) });
    total += sum;
  }
  const bias = biases.data[filter];
  return { box, parts, sum: total, bias, before: total + bias, after: activate(layer.activation, total + bias) };
}

/**
 * One cell of a pooling: its window, the winner (of max) and the result.
 * @type {(layer: Layer, filter: number, row: number, column: number, input: Tensor) => { box: Box,
 *   patch: Float32Array, padding: Set<number>, winner: number, value: number }}
 */
export function poolCell(layer, filter, row, column, input) {
  const box = windowOf(layer, row, column);
  const isMax = layer.op === "maxpool";
  const { patch, padding } = cut(input.data, mapOf(input, filter), box, isMax ? -Infinity : 0);
  let winner = 0;
  for (let i = 1; i < patch.length; i += 1) if (patch[i] > patch[winner]) winner = i;
  const mean = patch.reduce((sum, value) => sum + value, 0) / patch.length;
  return { box, patch, padding, winner, value: isMax ? patch[winner] : mean };
}

/**
 * The box of the picture that a cell can see, from the layer's receptive field.
 * @type {(layer: { receptive_field: Field }, row: number, column: number) => Box}
 */
export function fieldOf(layer, row, column) {
  const { size, jump, start } = layer.receptive_field;
  return { top: start[0] + row * jump[0], left: start[1] + column * jump[1], height: size[0], width: size[1] };
}

/**
 * Keep a box within the 28 x 28 picture.
 * @type {(box: Box, side?: number) => Box}
 */
export function clip({ top, left, height, width }, side = 28) {
  const [y, x] = [Math.max(top, 0), Math.max(left, 0)];
  return { top: y, left: x, height: Math.min(top + height, side) - y, width: Math.min(left + width, side) - x };
}

/**
 * Move a picture by whole pixels. Paper comes in.
 * @type {(levels: Uint8Array, shift: number[], side?: number) => Uint8Array}
 */
export function shifted(levels, [right, down], side = 28) {
  const moved = new Uint8Array(levels.length);
  for (let y = 0; y < side; y += 1) {
    for (let x = 0; x < side; x += 1) {
      const [fromY, fromX] = [y - down, x - right];
      if (fromY >= 0 && fromX >= 0 && fromY < side && fromX < side) moved[y * side + x] = levels[fromY * side + fromX];
    }
  }
  return moved;
}

/**
 * How much two answers differ, as a share of the first: 0 when they are the same.
 * @type {(before: Values, after: Values) => number}
 */
export function difference(before, after) {
  let size = 0;
  let change = 0;
  for (let i = 0; i < before.length; i += 1) {
    size += before[i] ** 2;
    change += (before[i] - after[i]) ** 2;
  }
  return size === 0 ? 0 : Math.sqrt(change / size);
}

/**
 * Probabilities of logits at a temperature.
 * @type {(logits: number[], temperature?: number) => number[]}
 */
export function softmax(logits, temperature = 1) {
  const most = Math.max(...logits);
  const powers = logits.map((logit) => Math.exp((logit - most) / temperature));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}

/**
 * The ten shares before doubt: the softmax of the logits at the network's temperature. Of its probabilities the service
 * says: (1 - doubt) softmax(logits / temperature) + doubt / 10.
 * @type {(verdict: Probabilities,
 *   network: { passport?: { calibration?: { temperature?: number } } } | null) => number[]}
 */
export function sharesOf({ probabilities, logits, doubt }, network) {
  if (doubt === undefined) return softmax(logits, network?.passport?.calibration?.temperature ?? 1);
  return probabilities.map((share) => Math.max(0, (share - doubt / probabilities.length) / (1 - doubt)));
}

/**
 * The indices of an array from its greatest value down.
 * @type {(values: number[]) => number[]}
 */
export function ranking(values) {
  return Array.from(values.keys()).sort((a, b) => values[b] - values[a]);
}

const DARK = 128;

/**
 * How many pieces the ink of a drawing is in: places darker than the middle that touch, of side x side, 0 = ink.
 * @type {(levels: Uint8Array, side: number) => number}
 */
export function piecesOf(levels, side) {
  const isLeft = Array.from(levels, (level) => level < DARK);
  let count = 0;
  for (let start = 0; start < isLeft.length; start += 1) {
    if (!isLeft[start]) continue;
    count += 1;
    const found = [start];
    isLeft[start] = false;
    for (let at = found.pop(); at !== undefined; at = found.pop()) {
      const column = at % side;
      for (const next of [at - side, at + side, column ? at - 1 : -1, column < side - 1 ? at + 1 : -1]) {
        if (!isLeft[next]) continue;
        isLeft[next] = false;
        found.push(next);
      }
    }
  }
  return count;
}
