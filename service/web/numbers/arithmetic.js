// numbers/ computes: it knows no page, no state and no service.
//
// This file does the sums behind a cell again, so that they can be shown. Each is compared with the service's answer.

/** @import { Box, Field, Formed, Layer, Levels, Part, Plane, Probabilities, Tensor, Values } from "./types.d.ts" */

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
 * @type {(layer: Pick<Layer, "kernel" | "stride" | "pads" | "dilation">, row: number, column: number) => Box}
 */
export function windowOf({ kernel, stride, pads, dilation = [1, 1] }, row, column) {
  return {
    top: row * stride[0] - pads[0],
    left: column * stride[1] - pads[1],
    height: (kernel[0] - 1) * dilation[0] + 1,
    width: (kernel[1] - 1) * dilation[1] + 1,
  };
}

/**
 * Cut a window out of one plane, each `steps`-th row and column of it. What lies outside is padding: `outside`, and
 * listed in `padding`.
 * @type {(values: Values, plane: { rows: number, columns: number, start?: number }, box: Box,
 *   outside?: number, steps?: number[]) => { patch: Float32Array, padding: Set<number> }}
 */
export function cut(values, { rows, columns, start = 0 }, box, outside = 0, [down, right] = [1, 1]) {
  const { top, left } = box;
  const [height, width] = [Math.ceil(box.height / down), Math.ceil(box.width / right)];
  const patch = new Float32Array(height * width);
  const padding = new Set();
  for (let i = 0; i < height; i += 1) {
    for (let j = 0; j < width; j += 1) {
      const [y, x] = [top + i * down, left + j * right];
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
 * One cell of a convolution: per channel its patch, products and sum, then bias and the total. A filter of a group
 * reads the channels of its group alone.
 * input: {shape: [C, h, w], data}; weights: {shape: [K, C / groups, kh, kw], data}; biases: {data}
 * @type {(layer: Layer, filter: number, row: number, column: number, input: Tensor, weights: Tensor,
 *   biases: Tensor) => { box: Box, parts: Part[], sum: number, bias: number, before: number, after: number }}
 */
export function convolutionCell(layer, filter, row, column, input, weights, biases) {
  const box = windowOf(layer, row, column);
  const [filters, channels, height, width] = weights.shape;
  const first = Math.floor((filter * (input.shape[0] / channels)) / filters) * channels;
  const parts = [];
  let total = 0;
  for (let i = 0; i < channels; i += 1) {
    const channel = first + i;
    const { patch, padding } = cut(input.data, mapOf(input, channel), box, 0, layer.dilation);
    const start = (filter * channels + i) * height * width;
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
  const { patch, padding } = cut(input.data, mapOf(input, filter), box, isMax ? -Infinity : 0, layer.dilation);
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
 * Keep a box within a picture of width x height.
 * @type {(box: Box, picture: { width: number, height: number }) => Box}
 */
export function clip({ top, left, height, width }, picture) {
  const [y, x] = [Math.max(top, 0), Math.max(left, 0)];
  return {
    top: y,
    left: x,
    height: Math.min(top + height, picture.height) - y,
    width: Math.min(left + width, picture.width) - x,
  };
}

/**
 * Move a picture by whole pixels. Paper comes in; of a photo, whose ground may be anything, its edge goes on.
 * @type {(picture: Levels, shift: number[]) => Uint8Array}
 */
export function shifted({ levels, width, height, channels, isInk }, [right, down]) {
  const moved = new Uint8Array(levels.length);
  /** @type {(at: number, size: number) => number} */
  const within = (at, size) => Math.min(Math.max(at, 0), size - 1);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const [fromY, fromX] = [within(y - down, height), within(x - right, width)];
      if (isInk && (fromY !== y - down || fromX !== x - right)) continue;
      const [to, from] = [y * width + x, fromY * width + fromX].map((place) => place * channels);
      for (let channel = 0; channel < channels; channel += 1) moved[to + channel] = levels[from + channel];
    }
  }
  return moved;
}

/**
 * The numbers that a network was trained on, of a picture in 0..1: its channels in that order, dark as light, times
 * scale, less mean, by std. unit: a plane of `area` for each channel
 * @type {(unit: Float32Array, area: number, form: Formed) => Float32Array}
 */
export function formed(unit, area, { order, invert, scale = 1, mean, std }) {
  const channels = unit.length / area;
  /** @type {(values: number[] | null | undefined, channel: number, none: number) => number} */
  const of = (values, channel, none) => values?.[values.length === 1 ? 0 : channel] ?? none;
  return unit.map((_, i) => {
    const channel = Math.floor(i / area);
    const value = unit[i + area * (order === "bgr" ? channels - 1 - 2 * channel : 0)];
    return ((invert ? 1 - value : value) * scale - of(mean, channel, 0)) / of(std, channel, 1);
  });
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
 * The shares of the classes before doubt: the softmax of the logits at the network's temperature. Of its probabilities
 * the service says: (1 - doubt) softmax(logits / temperature) + doubt / classes. A network that was adopted has neither
 * temperature nor doubt: its shares are its probabilities.
 * @type {(verdict: Probabilities,
 *   network: { calls?: object, passport?: { calibration?: { temperature?: number } } } | null) => number[]}
 */
export function sharesOf({ probabilities, logits, doubt }, network) {
  if (network?.calls) return probabilities;
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
