// The state as the fragment of the address, and back. Only what differs from the defaults is written. Everything read
// is checked; what does not fit is not used, and its key is named.

import { base64, fromBase64 } from "../numbers/npy.js";
import { NAMED } from "./picture.js";
import { RANGES, SCALES } from "../numbers/scales.js";
import { ACTIVATIONS, DEFAULTS, PADDINGS, VIEWS } from "./state.js";

/** @import { Levels } from "../numbers/types.d.ts" */
/** @import { Bench, Change, Chosen, Kernel, Point, State, Store } from "./types.d.ts" */

const MOST_LEVELS = 50_000; // of a picture that a link keeps
const LARGEST_SIDE = 512;
const MOST_CLASSES = 10_000;

/**
 * Write a state as the text after the #.
 * @type {(state: State) => Promise<string>}
 */
export async function write(state) {
  const pairs = [["v", "2"]];
  /** @type {(key: string, value: string | false | null) => void} */
  const add = (key, value) => {
    if (value) pairs.push([key, value]);
  };
  add("pic", await writePicture(state));
  add("model", state.model);
  add("view", differs(state, "view") && state.view);
  add("step", differs(state, "step") && String(state.step));
  add("moment", differs(state, "moment") && String(state.moment));
  add("at", state.pinned && state.at && `${state.at.layer}/${state.at.filter}@${state.at.row},${state.at.column}`);
  add("scale", differs(state, "scale") && state.scale);
  add("range", differs(state, "range") && state.range);
  add("before", state.before && "1");
  add("layer", state.layer);
  add("ground", differs(state, "ground") && state.ground);
  add("shift", String(state.shift) !== "0,0" && state.shift.join(","));
  // The part of a photo is kept as the picture itself.
  add("part", state.part !== null && state.picture.kind === "strokes" && String(state.part));
  add("k", differs(state, "kernel") && writeKernel(state.kernel));
  add("bench", differs(state, "bench") && Object.values(state.bench).map(Number0).join(","));
  add("chain", state.chain.join(","));
  add("change", state.changes.map(writeChange).join(";"));
  add("target", state.target !== null && String(state.target));
  add("rival", state.rival !== null && String(state.rival));
  add("hide", state.hide.join(","));
  add("big", state.big && "1");
  add("theme", state.theme);
  return pairs
    .map(
      ([key, value]) =>
        `${key}=${encodeURIComponent(value).replace(/%2C/g, ",").replace(/%3A/g, ":").replace(/%2F/g, "/").replace(/%40/g, "@")}`,
    )
    .join("&");
}

/** @type {(state: State, key: keyof State) => boolean} */
function differs(state, key) {
  return JSON.stringify(state[key]) !== JSON.stringify(DEFAULTS[key]);
}

/** @type {(value: unknown) => unknown} */
function Number0(value) {
  return value === true ? 1 : value === false ? 0 : value;
}

/** @type {(kernel: Kernel) => string} */
function writeKernel({ rows, columns, cells, bias }) {
  return `${rows}x${columns}:${cells.join(",")}:${bias}`;
}

/** @type {(change: Change) => string} */
function writeChange(change) {
  const { layer, filter } = change;
  if (change.action === "off") return `${layer}/${filter}:off`;
  if (change.action === "scale") return `${layer}/${filter}:x${change.factor}`;
  const { weights, bias } = change;
  return `${layer}/${filter}:${weights.length}x${weights[0].length}:${weights.flat().join(",")}:${bias}`;
}

/** @type {(state: State) => Promise<string>} */
async function writePicture({ picture, example }) {
  if (picture.kind === "pattern") return `t:${picture.name}`;
  if (picture.kind === "strokes") return picture.strokes.length && !example ? `s:${packStrokes(picture.strokes)}` : "";
  const levels = picture.kind === "levels" ? picture : picture.seen;
  return levels && isKept(levels) ? `${formOf(levels)}:${urlSafe(base64(await deflate(new Uint8Array(levels.levels), "CompressionStream")))}` : "";
}

/**
 * Whether a link has room for a picture.
 * @type {(picture: Levels) => boolean}
 */
export const isKept = ({ levels }) => levels.length <= MOST_LEVELS;

// A square of ink is "x"; another form is told: rows, columns, channels, and "i" where it is of ink.
/** @type {(picture: Levels) => string} */
function formOf({ width, height, channels, isInk }) {
  return isInk && channels === 1 && width === height ? "x" : `p${height}x${width}x${channels}${isInk ? "i" : ""}`;
}

/**
 * Read the text after the #: {state, problems}, where problems names the keys that could not be used.
 * @type {(text: string) => Promise<{ state: Partial<State>, problems: string[] }>}
 */
export async function read(text) {
  /** @type {Partial<State>} */
  const state = {};
  /** @type {string[]} */
  const problems = [];
  for (const [key, value] of new URLSearchParams(text.replace(/^#/, "").replace(/\+/g, "%2B"))) {
    if (key === "v") continue;
    try {
      Object.assign(state, await READERS[key](value));
    } catch {
      problems.push(key);
    }
  }
  if (!state.view) state.view = isOld(new URLSearchParams(text.replace(/^#/, ""))) ? "network" : "lecture";
  return { state, problems };
}

// What an address that someone wrote, and no page, may have and still open the lecture.
const OF_LECTURE = ["step", "pic", "model", "hide", "big", "theme"];

/**
 * Whether an address is from when there was no lecture: then one without a view was of the network.
 * @type {(address: URLSearchParams) => boolean}
 */
function isOld(address) {
  const version = address.get("v");
  return version ? version === "1" : [...address.keys()].some((key) => !OF_LECTURE.includes(key));
}

/** @type {Record<string, (text: string) => Partial<State> | Promise<Partial<State>>>} */
const READERS = {
  pic: async (text) => ({ picture: await readPicture(text) }),
  model: (text) => ({ model: matched(text, /^[\w.-]+(@[\w.-]+)?$/)[0] }),
  view: (text) => OLD_VIEWS[text] ?? { view: oneOf(text, VIEWS) },
  step: (text) => ({ step: within(text, 1, 9) }),
  moment: (text) => ({ moment: within(text, 0, 999) }),
  at: (text) => {
    const [, layer, filter, row, column] = matched(text, /^(\w+)\/(\d+)@(\d+),(\d+)$/);
    return { at: { layer, filter: Number(filter), row: Number(row), column: Number(column) }, pinned: true };
  },
  scale: (text) => ({
    scale: oneOf(
      text,
      SCALES.map(([name]) => name),
    ),
  }),
  range: (text) => ({
    range: oneOf(
      text,
      RANGES.map(([name]) => name),
    ),
  }),
  before: (text) => ({ before: oneOf(text, ["1"]) === "1" }),
  layer: (text) => ({ layer: matched(text, /^\w+$/)[0] }),
  ground: (text) => ({ ground: oneOf(text, ["light", "dark"]) }),
  shift: (text) => ({
    shift: matched(text, /^(-?\d),(-?\d)$/)
      .slice(1)
      .map(Number),
  }),
  part: (text) => ({ part: within(text, 0, 1999) }),
  k: (text) => ({ kernel: readKernel(text), named: null }),
  bench: (text) => {
    const [, stride, padding, activation, flip, place, isWhole] = matched(
      text,
      /^(\d+),(\w+),(\w+),([01]),(-1|\d+),([01])$/,
    );
    return {
      bench: {
        ...slides(stride, padding, activation, flip),
        place: Number(place),
        isWhole: isWhole === "1",
      },
    };
  },
  chain: (text) => ({ chain: matched(text, /^\w+(,\w+){0,4}$/)[0].split(",") }),
  // Of links from before there was a bench: the window, and the options of the editor.
  win: (text) => {
    const [, name, size, stride, padding, place] = matched(text, /^(\w+),(\d+),(\d+),(\w+),(\d+)$/);
    return {
      named: { name, size: within(size, 1, 15) },
      bench: { ...slides(stride, padding, "linear", "0"), place: Number(place), isWhole: false },
    };
  },
  kopt: (text) => {
    const [, stride, padding, activation, pool, flip] = matched(text, /^(\d+),(\w+),(\w+),(\d+),([01])$/);
    const chain = within(pool, 0, 14) ? [`max${pool}`] : [];
    return { bench: { ...slides(stride, padding, activation, flip), place: -1, isWhole: true }, chain };
  },
  change: (text) => ({ changes: text.split(";").map(readChange) }),
  target: (text) => ({ target: within(text, 0, MOST_CLASSES - 1) }),
  rival: (text) => ({ rival: within(text, 0, MOST_CLASSES - 1) }),
  hide: (text) => ({ hide: matched(text, /^[a-z-]+(,[a-z-]+)*$/)[0].split(",") }),
  big: (text) => ({ big: oneOf(text, ["1"]) === "1" }),
  theme: (text) => ({ theme: oneOf(text, ["light", "dark"]) }),
};

/**
 * What links from before there was a bench call its views, as they opened.
 * @type {Record<string, Partial<State>>}
 */
const OLD_VIEWS = {
  window: { view: "bench", bench: { ...DEFAULTS.bench, place: 48, isWhole: false } },
  filter: { view: "bench", bench: { ...DEFAULTS.bench, stride: 1 } },
};

/** @type {(stride: string, padding: string, activation: string, flip: string) => Omit<Bench, "place" | "isWhole">} */
function slides(stride, padding, activation, flip) {
  return {
    stride: within(stride, 1, LARGEST_SIDE),
    padding: oneOf(padding, PADDINGS.map(([name]) => name)),
    activation: oneOf(activation, ACTIVATIONS),
    flip: flip === "1",
  };
}

/** @type {(text: string, pattern: RegExp) => RegExpExecArray} */
function matched(text, pattern) {
  const found = pattern.exec(text);
  if (!found) throw new RangeError(text);
  return found;
}

/**
 * @template {string} const Value
 * @param {string} text
 * @param {readonly Value[]} values
 */
function oneOf(text, values) {
  const found = values.find((value) => value === text);
  if (found === undefined) throw new RangeError(text);
  return found;
}

/** @type {(text: string, least: number, most: number) => number} */
function within(text, least, most) {
  const value = Number(matched(text, /^\d+$/)[0]);
  if (value < least || value > most) throw new RangeError(text);
  return value;
}

/** @type {(text: string) => Kernel} */
function readKernel(text) {
  const [, rows, columns, cells, bias] = matched(text, /^(\d+)x(\d+):([^:]*):([^:]*)$/);
  const kernel = { rows: within(rows, 1, 15), columns: within(columns, 1, 15), cells: cells.split(","), bias };
  const isWhole =
    kernel.cells.length === kernel.rows * kernel.columns &&
    [...kernel.cells, bias].every((cell) => Number.isFinite(Number(cell)));
  if (!isWhole) throw new RangeError(text);
  return kernel;
}

/** @type {(text: string) => Change} */
function readChange(text) {
  const [, layer, filter, what] = matched(text, /^(\w+)\/(\d+):(.+)$/);
  const change = { layer, filter: Number(filter) };
  if (what === "off") return { ...change, action: "off" };
  if (what.startsWith("x")) return { ...change, action: "scale", factor: Number(matched(what, /^x(-?[\d.]+)$/)[1]) };
  const { rows, columns, cells, bias } = readKernel(what);
  const numbers = cells.map(Number);
  const weights = Array.from({ length: rows }, (_, y) => numbers.slice(y * columns, (y + 1) * columns));
  return { ...change, action: "replace", weights, bias: Number(bias) };
}

/** @type {(text: string) => Promise<Chosen>} */
async function readPicture(text) {
  const [kind, rest] = [text.slice(0, text.indexOf(":")), text.slice(text.indexOf(":") + 1)];
  if (kind === "t") return { kind: "pattern", name: oneOf(rest, NAMED) };
  if (kind === "s") return { kind: "strokes", strokes: unpackStrokes(rest) };
  const [, sizes, ink] = kind === "x" ? [kind, "", "i"] : matched(kind, /^p(\d+x\d+x[13])(i?)$/);
  const levels = await deflate(fromBase64(fromUrlSafe(rest)), "DecompressionStream");
  const side = String(Math.sqrt(levels.length));
  const [height, width, channels] = (sizes ? sizes.split("x") : [side, side, "1"]).map((size) => within(size, 1, LARGEST_SIDE));
  if (levels.length !== height * width * channels) throw new RangeError(text);
  return { kind: "levels", levels, width, height, channels, isInk: ink === "i" };
}

/**
 * Strokes as text: per stroke its number of points in two bytes, then x and y of each as a byte.
 * @type {(strokes: Point[][]) => string}
 */
export function packStrokes(strokes) {
  const bytes = strokes.flatMap((points) => [
    points.length >> 8,
    points.length & 255,
    ...points.flat().map((v) => Math.round(v * 255)),
  ]);
  return urlSafe(base64(Uint8Array.from(bytes)));
}

/** @type {(text: string) => Point[][]} */
export function unpackStrokes(text) {
  const bytes = fromBase64(fromUrlSafe(text));
  const strokes = [];
  for (let at = 0; at < bytes.length;) {
    const count = (bytes[at] << 8) + bytes[at + 1];
    if (!count || at + 2 + 2 * count > bytes.length) throw new RangeError(text);
    strokes.push(Array.from({ length: count }, (_, i) => [bytes[at + 2 + 2 * i] / 255, bytes[at + 3 + 2 * i] / 255]));
    at += 2 + 2 * count;
  }
  return strokes;
}

const REST_MS = 500;

/**
 * Keeps the address up with the store. "Back" undoes a step (a view, a pin), and no other change.
 * @type {(store: Store) => { later(isStep: boolean): void, now(): Promise<void>,
 *   changed(): Promise<Awaited<ReturnType<typeof read>> | null> }}
 */
export function createKeeper(store) {
  let written = location.hash;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  /** @type {(isStep: boolean) => Promise<void>} */
  const keep = async (isStep) => {
    const text = `#${await write(store.get())}`;
    if (text === written) return;
    history[isStep ? "pushState" : "replaceState"](null, "", text);
    written = text;
  };
  return {
    later(isStep) {
      clearTimeout(timer);
      timer = setTimeout(() => keep(isStep), isStep ? 0 : REST_MS);
    },
    now() {
      clearTimeout(timer);
      return keep(false);
    },
    /** What the address says, if someone else changed it. */
    async changed() {
      if (location.hash === written) return null;
      written = location.hash;
      return read(location.hash);
    },
  };
}

/**
 * @type {(bytes: Uint8Array<ArrayBuffer>,
 *   direction: "CompressionStream" | "DecompressionStream") => Promise<Uint8Array<ArrayBuffer>>}
 */
async function deflate(bytes, direction) {
  const stream = new Blob([bytes]).stream().pipeThrough(new globalThis[direction]("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** @type {(text: string) => string} */
function urlSafe(text) {
  return text.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** @type {(text: string) => string} */
function fromUrlSafe(text) {
  return text.replaceAll("-", "+").replaceAll("_", "/");
}
