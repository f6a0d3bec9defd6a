// One store for everything that is chosen on the page; what the service answered is kept elsewhere.

export const VIEWS = ["network", "window", "filter", "why", "what-if", "filters"];

const LECTURE_EDGE = Array.from({ length: 49 }, (_, i) => Math.sign((i % 7) - Math.floor(i / 7)));

export const DEFAULTS = Object.freeze({
  picture: { kind: "strokes", strokes: [] },
  model: "",
  view: "network",
  at: null, // {layer, filter, row, column}: the cell that the dock explains
  pinned: false,
  scale: "diverging",
  range: "layer",
  before: false, // show maps before their activation
  shift: [0, 0], // pixels right and down
  sliding: { preset: "diagonal_falling", size: 7, stride: 2, padding: "valid", place: 48 },
  kernel: { rows: 7, columns: 7, cells: LECTURE_EDGE.map(String), bias: "0" },
  response: { stride: 1, padding: "valid", activation: "linear", pool: 0, flip: false },
  slot: { layer: "", filter: 0 }, // where "put into the network" puts it
  changes: [], // as POST /v1/what-if takes them
  target: null,
  rival: null,
  hide: [],
  big: false,
  theme: "",
});

/** A store: get(), set(patch) and subscribe(listener); a listener gets the state and the one before. */
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

/** The kernel of the editor as numbers; what is not a number yet counts as 0. */
export function weightsOf({ rows, columns, cells }) {
  return Array.from({ length: rows }, (_, y) => {
    return Array.from({ length: columns }, (_, x) => numberOf(cells[y * columns + x]));
  });
}

export function numberOf(text) {
  const value = Number(String(text).trim().replace("\u2212", "-").replace(",", "."));
  return Number.isFinite(value) ? value : 0;
}

/** The change of one filter, if there is one. */
export function changeOf(changes, layer, filter) {
  return changes.find((change) => change.layer === layer && change.filter === filter);
}

/** The changes with one filter's replaced by another, or by none. */
export function withChange(changes, layer, filter, change) {
  const others = changes.filter((each) => each.layer !== layer || each.filter !== filter);
  return change ? [...others, { layer, filter, ...change }] : others;
}

/** The pair that Why compares: what was asked for, or the winner and the runner-up. */
export function pairOf({ target, rival }, logits) {
  const order = Array.from(logits.keys()).sort((a, b) => logits[b] - logits[a]);
  const first = target ?? order.find((digit) => digit !== rival);
  const second = rival !== null && rival !== first ? rival : order.find((digit) => digit !== first);
  return [first, second];
}
