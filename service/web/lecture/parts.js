// What several steps are built of: a map that is pointed at, a picture with a window, a choice of what goes through.

import { extent, colourTable, shownRange, short } from "../numbers/scales.js";
import { make, set, write } from "../shared/dom.js";
import { createGrid } from "../shared/grid.js";
import { frame, heatmap, paint } from "../shared/heatmap.js";
import { want } from "../state/api.js";
import { context2d, PATTERNS, pattern } from "../state/picture.js";

/** @import { Theme } from "../numbers/types.d.ts" */
/** @import { Grid, GridEvents } from "../shared/types.d.ts" */
/** @import { Call, Input, Model, Want } from "../state/types.d.ts" */
/** @import { Answer, Asked, Picked, Room, Shown } from "./types.d.ts" */

export const SIDE = 28; // of the lecture's picture
const FORM = { width: SIDE, height: SIDE, channels: 1, isInk: true };
export const SIZE = 7; // of a patch and of a filter
export const STRIDE = 2;
export const PAIR = [{ preset: "diagonal_falling" }, { preset: "diagonal_rising" }];
export const PAIR_NAMES = ["\\", "/"];

/** @type {Map<string, Input>} */
const patterns = new Map();
let count = 0;

/**
 * 28 x 28 levels that are no digit of the visitor's, as a call takes them. Made once for each name.
 * @type {(name: string, levels: () => Uint8Array) => Input}
 */
export function inputOf(name, levels) {
  const known = patterns.get(name);
  if (known) return known;
  count -= 1; // the page's own pictures count up
  const made = levels();
  const unit = Float32Array.from(made, (level) => Math.fround(level / 255));
  const input = { ...FORM, levels: made, unit, id: count };
  patterns.set(name, input);
  return input;
}

/**
 * What goes through the filters: the digit, or a test pattern.
 * @type {(room: Room, model: Model) => Input | null}
 */
export function sourceOf({ source }, { data }) {
  return source ? inputOf(source, () => pattern(source, FORM).levels) : (data.input ?? null);
}

/**
 * A call of apply-filters: 7 x 7, stride 2 and no padding, unless told otherwise.
 * @type {(lane: `lecture/${string}`, picture: Input, asked: Asked) => Want<Call<Input>>}
 */
export function applyWant(lane, picture, asked) {
  const json = { prepare: "none", stride: STRIDE, padding: "valid", ...asked };
  return want(lane, { method: "POST", path: "/v1/apply-filters", query: {}, json, picture });
}

/**
 * What a lane was answered to what it is asked now: the first of its results. null while that is on its way.
 * @template Result
 * @param {Room} room
 * @param {`lecture/${string}`} lane
 * @param {Want | null} asked
 * @returns {Result | null}
 */
export function answerOf({ context }, lane, asked) {
  const entry = context.data[lane];
  if (!entry || !asked || entry.want.key !== asked.key) return null;
  const { results } = /** @type {{ results: Result[] }} */ (entry.answer);
  return results[0];
}

/**
 * The two filters of the lecture over a picture. Steps 3, 4, 5 and 7 ask the same, so that it is asked once.
 * @type {(picture: Input | null) => Want<Call<Input>> | null}
 */
export function pairWant(picture) {
  return picture && applyWant("lecture/pair", picture, { filters: PAIR });
}

/** @type {(room: Room, picture: Input | null) => Answer | null} */
export function pairOf(room, picture) {
  return answerOf(room, "lecture/pair", pairWant(picture));
}

/**
 * Rows of numbers in one array.
 * @type {(rows: number[][]) => Float32Array}
 */
export function flat(rows) {
  return Float32Array.from(rows.flat());
}

/**
 * Paint a map into a canvas. A cell that is no number is left out: it shows the hatching behind.
 * @type {(canvas: HTMLCanvasElement, shown: Shown) => void}
 */
export function paintMap(canvas, { values, rows, columns, theme, range, scale = "diverging" }) {
  paint(canvas, values, rows, columns, colourTable(scale, theme), range);
  const context = context2d(canvas);
  for (let i = 0; i < rows * columns; i += 1)
    if (Number.isNaN(values[i])) context.clearRect(i % columns, Math.floor(i / columns), 1, 1);
}

/**
 * The range of a scale around zero that holds all of these.
 * @type {(...all: ArrayLike<number>[]) => [number, number]}
 */
export function around(...all) {
  const known = all.flatMap((values) => Array.from(values).filter((value) => !Number.isNaN(value)));
  return shownRange("diverging", extent(known));
}

/** @type {(canvas: HTMLCanvasElement, input: Input, theme: Theme) => void} */
export function paintPicture(canvas, { unit }, theme) {
  paintMap(canvas, { values: unit, rows: SIDE, columns: SIDE, theme, range: [0, 1], scale: "pencil" });
}

/**
 * A picture with a window on it, which a pointer and the keys move over a grid of places.
 * @type {(label: string, on: GridEvents) => Picked}
 */
export function picker(label, on) {
  const grid = createGrid(label, on);
  const window = make("span", { class: "frame" });
  grid.root.classList.add("pick");
  grid.root.append(window);
  return { root: grid.root, grid, window };
}

/**
 * Put the window of a picker on a place.
 * @type {(picked: Picked, places: [number, number], at: number[], words: string) => void}
 */
export function place({ grid, window }, [rows, columns], [row, column], words) {
  grid.mark(rows, columns, [row, column], words);
  frame(window, { top: row * STRIDE, left: column * STRIDE, height: SIZE, width: SIZE }, SIDE, SIDE);
}

/** @type {(grid: Grid, caption: string, ...below: Node[]) => HTMLElement} */
export function figure(grid, caption, ...below) {
  return make("figure", {}, make("figcaption", {}, caption), grid.root, ...below);
}

/** @type {(caption: string, canvas: HTMLElement, ...below: Node[]) => HTMLElement} */
export function plate(caption, canvas, ...below) {
  return make("figure", {}, make("figcaption", {}, caption), canvas, ...below);
}

/** @type {(words: string) => HTMLElement} */
export const sign = (words) => make("span", { class: "sign", "aria-hidden": "true" }, words);

/**
 * Small pictures of what can go through: the digit and the lecture's test patterns.
 * @type {(room: Room) => { root: HTMLElement, draw(model: Model): void }}
 */
export function sources(room) {
  const all = ["", ...Object.keys(PATTERNS)].map((name) => {
    const canvas = heatmap();
    const label = name ? PATTERNS[name][0] : "your digit";
    const act = () => {
      room.source = name;
      room.redraw();
    };
    const button = make("button", { onclick: act, "aria-pressed": "false", "aria-label": label }, canvas);
    return { name, canvas, button: make("span", { class: "source" }, button, make("span", {}, label)), press: button };
  });
  const root = make(
    "div",
    { class: "sources", role: "group", "aria-label": "What goes through the filter" },
    all.map(({ button }) => button),
  );
  return {
    root,
    draw(model) {
      for (const { name, canvas, press } of all) {
        set(press, "aria-pressed", String(name === room.source));
        const input = sourceOf({ ...room, source: name }, model);
        if (input) paintPicture(canvas, input, model.theme);
      }
    },
  };
}

/**
 * A bar with its name and its value.
 * @type {(name: string) => { root: HTMLElement, draw(share: number, words: string): void }}
 */
export function bar(name) {
  const fill = make("span", { class: "fill" });
  const value = make("span", { class: "value" }, "");
  const track = make("span", { class: "track", "aria-hidden": "true" }, fill);
  const root = make("p", { class: "gauge" }, make("span", {}, name), track, value);
  return {
    root,
    draw(share, words) {
      fill.style.width = `${Math.min(Math.max(share, 0), 1) * 100}%`;
      write(value, words);
    },
  };
}

/**
 * A number in words for the keys' and the pointer's cell.
 * @type {(value: number | undefined) => string}
 */
export function cellWords(value) {
  return value === undefined || Number.isNaN(value) ? "not reached yet" : short(value);
}
