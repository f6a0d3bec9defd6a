// Colour scales, ranges of values, and how a number is written. One meaning everywhere:
// blue is positive, orange negative, and zero is the paper of the theme.

/** @import { Scale, Span, Theme, Values } from "./types.d.ts" */

/** @type {Record<string, string>} */
const STOPS = {
  "diverging-light": "7a2e04 b04a0a d9741e f0a566 f9d5b5 f7f7f7 c9dff0 8fbfe0 4a95c9 1f69a8 0b3d72",
  "diverging-dark": "ffc48a f29a4b c96f1f 8a4a12 4a2a10 15171a 12304a 1c527f 2f7cb8 62a9de a9d3f5",
  "pencil-light": "ffffff dfdfdf bfbfbf 9f9f9f 808080 606060 404040 202020 000000",
  "pencil-dark": "15171a 2f3033 4b4c4e 69696b 868788 a5a5a6 c3c3c4 e1e1e1 ffffff",
  // A photo's light is the same in every theme.
  "light-light": "000000 ffffff",
  "light-dark": "000000 ffffff",
  "viridis-light": "440154 482878 3e4989 31688e 26828e 1f9e89 35b779 6ece58 b5de2b fde725",
  "viridis-dark": "440154 482878 3e4989 31688e 26828e 1f9e89 35b779 6ece58 b5de2b fde725",
};

/** @type {[Scale, string][]} */
export const SCALES = [
  ["diverging", "blue / orange"],
  ["pencil", "pencil"],
  ["viridis", "viridis"],
];
/** @type {["layer" | "map" | "fixed", string][]} */
export const RANGES = [
  ["layer", "this layer"],
  ["map", "each map"],
  ["fixed", "fixed"],
];

/** @type {Map<string, Uint32Array>} */
const tables = new Map();

/**
 * The 256 colours of a scale in a theme, as the 32-bit words that a canvas holds.
 * @type {(scale: Scale, theme: Theme) => Uint32Array}
 */
export function colourTable(scale, theme) {
  const name = `${scale}-${theme}`;
  const table = tables.get(name) ?? interpolate(STOPS[name].split(" "));
  tables.set(name, table);
  return table;
}

/** @type {(stops: string[]) => Uint32Array} */
function interpolate(stops) {
  const colours = stops.map((hex) => [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16)));
  return Uint32Array.from({ length: 256 }, (_, index) => {
    const place = (index / 255) * (colours.length - 1);
    const left = Math.min(Math.floor(place), colours.length - 2);
    const [r, g, b] = [0, 1, 2].map((c) => {
      return Math.round(colours[left][c] + (colours[left + 1][c] - colours[left][c]) * (place - left));
    });
    return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
  });
}

/**
 * The colour of one value, as CSS and with the colour of text that can be read on it.
 * @type {(value: number, range: Span, table: Uint32Array) => { fill: string, text: string }}
 */
export function colourOf(value, [lo, hi], table) {
  const word = table[level(value, lo, hi)];
  const [r, g, b] = [word & 255, (word >> 8) & 255, (word >> 16) & 255];
  const luminance = 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  return { fill: `rgb(${r} ${g} ${b})`, text: luminance > 0.18 ? "#000" : "#fff" };
}

/** @type {(channel: number) => number} */
function linear(channel) {
  const share = channel / 255;
  return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
}

/**
 * Where a value lies in a table of 256: clipped at both ends.
 * @type {(value: number, lo: number, hi: number) => number}
 */
export function level(value, lo, hi) {
  if (hi <= lo) return 0;
  const place = ((value - lo) / (hi - lo)) * 255 + 0.5;
  return place <= 0 ? 0 : place >= 255 ? 255 : place | 0;
}

/**
 * Least and greatest of an array; [0, 0] of none.
 * @type {(values: Values, start?: number, end?: number) => Span}
 */
export function extent(values, start = 0, end = values.length) {
  if (end <= start) return [0, 0];
  let lo = Infinity;
  let hi = -Infinity;
  for (let i = start; i < end; i += 1) {
    if (values[i] < lo) lo = values[i];
    if (values[i] > hi) hi = values[i];
  }
  return [lo, hi];
}

/**
 * The range that a scale shows for values between lo and hi: diverging is centred, so that zero keeps its colour; the
 * others start at zero where nothing is below it.
 * @type {(scale: Scale, range: Span) => Span}
 */
export function shownRange(scale, [lo, hi]) {
  if (scale === "diverging") {
    const most = Math.max(Math.abs(lo), Math.abs(hi)) || 1;
    return [-most, most];
  }
  const least = Math.min(lo, 0);
  return [least, hi > least ? hi : least + 1];
}

const MINUS = "\u2212";

/**
 * Three significant digits and a true minus; an exponent only below 0.001.
 * @type {(value: number | null | undefined) => string}
 */
export function short(value) {
  if (value === undefined || value === null || Number.isNaN(value)) return "?";
  const size = Math.abs(value);
  if (size === 0) return "0";
  const text = size >= 1000 ? String(Math.round(size)) : size < 0.001 ? size.toExponential(0) : trim(size);
  return (value < 0 ? MINUS : "") + text.replace("e-", `e${MINUS}`);
}

/** @type {(size: number) => string} */
function trim(size) {
  const text = size.toPrecision(3);
  return text.includes(".") ? text.replace(/\.?0+$/, "") || "0" : text;
}

/**
 * The same with its sign always written.
 * @type {(value: number) => string}
 */
export function signed(value) {
  return value > 0 ? `+${short(value)}` : short(value);
}

/**
 * Fixed places, a true minus: for columns of numbers.
 * @type {(value: number, places?: number) => string}
 */
export function fixed(value, places = 2) {
  const text = Math.abs(value).toFixed(places);
  return (value < 0 && Number(text) !== 0 ? MINUS : "") + text;
}

/**
 * A probability as a percentage. A softmax never reaches 0 or 1, so neither is written.
 * @type {(share: number) => string}
 */
export function percent(share) {
  const value = share * 100;
  if (value > 99.9) return "> 99.9 %";
  return value < 0.1 ? "< 0.1 %" : `${value.toFixed(1)} %`;
}

/**
 * Any other share as a percentage.
 * @type {(share: number) => string}
 */
export function plainPercent(share) {
  return `${short(share * 100)} %`;
}
