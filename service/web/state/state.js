// state/ keeps what is chosen, and knows how it is asked and linked. It draws nothing.
//
// This file is the store of everything that is chosen on the page. playground.js keeps what was answered.

import { ranking } from "../numbers/arithmetic.js";

/** @import { Action, Change, Kernel, State, Store, ViewName } from "./types.d.ts" */

/** @type {ViewName[]} */
export const VIEWS = ["lecture", "network", "bench", "why", "what-if", "filters", "learn"];

/** How the window meets the edge of the picture. */
export const PADDINGS = [
  ["valid", "crop (valid)"],
  ["same", "pad (same)"],
  ["full", "pad (full)"],
];
export const ACTIVATIONS = ["linear", "relu", "tanh", "sigmoid", "abs"];

const LECTURE_EDGE = Array.from({ length: 49 }, (_, i) => Math.sign((i % 7) - Math.floor(i / 7)));

/** @type {Readonly<State>} */
export const DEFAULTS = {
  picture: { kind: "strokes", strokes: [] },
  model: "",
  view: "lecture",
  step: 1, // of the lecture
  moment: 0, // of the training that is watched
  at: null, // {layer, filter, row, column}: the cell that the dock explains
  pinned: false,
  scale: "diverging",
  range: "layer",
  before: false, // show maps before their activation
  layer: "", // the one that is shown of a network with more than there is room for
  shift: [0, 0], // pixels right and down
  part: null, // which of several digits is opened
  ground: "light", // of what is drawn
  kernel: { rows: 7, columns: 7, cells: LECTURE_EDGE.map(String), bias: "0" },
  named: null,
  bench: { stride: 2, padding: "valid", activation: "linear", flip: false, place: -1, isWhole: true },
  chain: [],
  slot: { layer: "", filter: 0 }, // where "put into the network" puts it
  changes: [], // as POST /v1/what-if takes them
  target: null,
  rival: null,
  hide: [],
  big: false,
  theme: "",
};

/**
 * A store: get(), set(patch) and subscribe(listener); a listener gets the state and the one before.
 * @type {(initial: Partial<State>) => Store}
 */
export function createStore(initial) {
  let state = { ...DEFAULTS, ...initial };
  const listeners = new Set();
  return {
    get: () => state,
    set(patch) {
      const before = state;
      state = { ...state, ...patch };
      for (const listener of listeners) listener(state, before);
    },
    subscribe: (listener) => listeners.add(listener),
  };
}

const SINGLE_KEYS = "filterscope-single-keys";

/** Whether single keys act on the page (P presents, Space turns the lecture's page): who dictates switches them off. */
export const singleKeys = {
  areOn: () => localStorage.getItem(SINGLE_KEYS) !== "off",
  /** @type {(areOn: boolean) => void} */
  set: (areOn) => localStorage.setItem(SINGLE_KEYS, areOn ? "on" : "off"),
};

/**
 * The kernel of the editor as numbers. A text that is no number yet counts as 0.
 * @type {(kernel: Kernel) => number[][]}
 */
export function weightsOf({ rows, columns, cells }) {
  return Array.from({ length: rows }, (_, y) => {
    return Array.from({ length: columns }, (_, x) => numberOf(cells[y * columns + x]));
  });
}

/** @type {(text: string) => number} */
export function numberOf(text) {
  const value = Number(String(text).trim().replace("\u2212", "-").replace(",", "."));
  return Number.isFinite(value) ? value : 0;
}

/**
 * The change of one filter, if there is one.
 * @type {(changes: Change[], layer: string, filter: number) => Change | undefined}
 */
export function changeOf(changes, layer, filter) {
  return changes.find((change) => change.layer === layer && change.filter === filter);
}

/**
 * Whether a filter is switched off.
 * @type {(changes: Change[], layer: string, filter: number) => boolean}
 */
export function isOff(changes, layer, filter) {
  return changeOf(changes, layer, filter)?.action === "off";
}

/**
 * The changes with one filter switched off or, where it was off, on again.
 * @type {(changes: Change[], layer: string, filter: number) => Change[]}
 */
export function toggled(changes, layer, filter) {
  return withChange(changes, layer, filter, isOff(changes, layer, filter) ? null : { action: "off" });
}

/**
 * The changes with one filter's replaced by another, or by none.
 * @type {(changes: Change[], layer: string, filter: number, change: Action | null) => Change[]}
 */
export function withChange(changes, layer, filter, change) {
  const others = changes.filter((each) => each.layer !== layer || each.filter !== filter);
  return change ? [...others, { layer, filter, ...change }] : others;
}

/**
 * Changes that switch filters of one layer off.
 * @type {(layer: string, filters: number[]) => Change[]}
 */
export function allOff(layer, filters) {
  return filters.map((filter) => ({ layer, filter, action: "off" }));
}

/**
 * The two classes that Why compares: those asked for, or the winner and the runner-up.
 * @type {(chosen: { target: number | null, rival: number | null }, logits: number[]) => [number, number]}
 */
export function pairOf({ target, rival }, logits) {
  const order = ranking(logits);
  const first = target ?? order.filter((each) => each !== rival)[0];
  const second = rival !== null && rival !== first ? rival : order.filter((each) => each !== first)[0];
  return [first, second];
}
