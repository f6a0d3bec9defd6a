// Step 9: softmax as a pachinko with ten slots. Every filter of the last layer is a peg, and pushes all ten sums.

import { ranking, sharesOf, softmax } from "../numbers/arithmetic.js";
import { fromBase64 } from "../numbers/npy.js";
import { fixed, percent, short } from "../numbers/scales.js";
import { changes, make, radios, set, write } from "../shared/dom.js";
import { heatmap } from "../shared/heatmap.js";
import { networkCall, want } from "../state/api.js";
import { createBoard, rowsOf, sumsOf } from "./board.js";
import { DOUBTFUL } from "./figures.js";
import { answerOf, bar, inputOf, paintPicture } from "./parts.js";
import { createSlots, KINDS } from "./slots.js";

/** @import { Tensor } from "../numbers/types.d.ts" */
/** @import { Arrays, Input, Model, Network, Verdict, Want } from "../state/types.d.ts" */
/** @import { Create, Deciding, SlotKind, Sums } from "./types.d.ts" */

const MOST_OFF = 3;
const STEP_MS = 420;
const RING = "A ring is where the ball is after that peg: in the column whose sum is greatest so far.";
const still = matchMedia("(prefers-reduced-motion: reduce)");
const doubtful = inputOf("doubtful", () => fromBase64(DOUBTFUL));

/** @type {Create} */
export const create = (room) => {
  const { context } = room;
  const { data } = context;
  let [isOwn, isHelped] = [false, false];
  /** @type {SlotKind} */
  let shown = "shares";
  let fallen = Infinity; // rows of pegs that the ball has passed
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  /** @type {Set<number>} */
  let off = new Set();
  const [isAnother, isNew] = [changes(), changes()];

  const faces = ["a digit in doubt", "your digit"].map((label, i) => {
    const canvas = heatmap();
    const act = () => {
      isOwn = i === 1;
      room.redraw();
    };
    const press = make("button", { onclick: act, "aria-label": label }, canvas);
    return { canvas, press, root: make("span", { class: "source" }, press, make("span", {}, label)) };
  });
  const board = createBoard(toggle);
  const slots = createSlots();
  const drop = make("button", { class: "main", onclick: fall }, "Drop the ball");
  const all = make("button", { onclick: () => switchTo(new Set()) }, "All pegs on");
  const help = make("button", { onclick: ask }, "Which pegs decide?");
  const helped = make("p", { role: "status", id: "machine-help" }, "");
  const kind = radios("the ten slots show", "lecture-slots", KINDS, (value) => {
    shown = value;
    room.redraw();
  });
  const verdict = make("p", { class: "big", id: "machine-verdict", role: "status" }, "");
  const checked = make("p", { class: "muted", id: "machine-check" }, "");
  const doubt = bar("doubt: unlike any digit");
  const chosen = make(
    "div",
    { class: "sources", role: "group", "aria-label": "What falls" },
    make("span", {}, "What falls:"),
    faces.map((face) => face.root),
  );
  const pegs = make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Pegs" }, board.root);
  const ends = make("div", { class: "column" }, kind.field, slots.root, slots.formula, verdict, checked, doubt.root);
  const root = make(
    "div",
    {},
    make("div", { class: "controls" }, chosen, drop, all, help),
    helped,
    make(
      "div",
      { class: "machine", "data-lane": "lecture/ledger lecture/maps lecture/read" },
      make("div", {}, pegs, make("p", { class: "muted" }, RING)),
      ends,
    ),
  );

  // ---- asking ----

  /** @type {(model: { data: import("../state/types.d.ts").Data }) => Input | null} */
  const picture = ({ data: answers }) => (isOwn ? answers.input : doubtful);

  /** @type {(input: Input, method: string) => Want} */
  const explain = (input, method) =>
    want(`lecture/${method}`, networkCall("/v1/explain", context.network(), input, { method }));

  /** @type {(input: Input) => Want} */
  const read = (input) => want("lecture/read", networkCall("/v1/classify", context.network(), input, {}));

  /** @type {(input: Input, ledger: Sums) => Want} */
  const maps = (input, ledger) => {
    const layers = mapName(context.network(), ledger);
    return want("lecture/maps", networkCall("/v1/feature-maps", context.network(), input, { format: "npz", layers }));
  };

  /** @type {(input: Input) => Want} */
  function changed(input) {
    const { query, ...call } = networkCall("/v1/what-if", context.network(), input, {});
    const layer = lastConvolution(context.network());
    const made = [...off].sort((a, b) => a - b).map((filter) => ({ layer, filter, action: "off" }));
    return want("lecture/what-if", { ...call, json: { ...query, changes: made } });
  }

  /** @type {(input: Input | null) => Sums | null} */
  const ledgerOf = (input) => (input ? answerOf(room, "lecture/ledger", explain(input, "ledger")) : null);

  /**
   * What the service reads without the pegs that are off; null while all are on, and until it has answered.
   * @type {(input: Input) => Verdict | null}
   */
  function confirmed(input) {
    if (!off.size) return null;
    /** @type {{ after: Verdict } | null} */
    const answer = answerOf(room, "lecture/what-if", changed(input));
    return answer && answer.after;
  }

  /** @type {(model: Model) => Want[]} */
  function wants(model) {
    const input = picture(model);
    if (!input) return [];
    const list = [explain(input, "ledger"), read(input)];
    const ledger = ledgerOf(input);
    if (ledger) list.push(maps(input, ledger));
    if (ledger && off.size) list.push(changed(input));
    if (isHelped) list.push(explain(input, "deciding-set"));
    return list;
  }

  // ---- acting ----

  /** @type {(next: Set<number>) => void} */
  function switchTo(next) {
    halt();
    off = next;
    room.redraw();
  }

  /** @type {(peg: number) => void} */
  function toggle(peg) {
    const next = new Set(off);
    if (!next.delete(peg)) next.add(peg);
    switchTo(next);
  }

  function ask() {
    isHelped = !isHelped;
    room.redraw();
  }

  function fall() {
    halt();
    if (still.matches) return;
    fallen = 0;
    const step = () => {
      fallen += 1;
      if (fallen < board.count() && root.getClientRects().length) timer = setTimeout(step, STEP_MS);
      else halt();
      room.redraw();
    };
    timer = setTimeout(step, STEP_MS);
    room.redraw();
  }

  function halt() {
    clearTimeout(timer);
    fallen = Infinity;
  }

  // ---- drawing ----

  /** @type {(model: Model) => void} */
  function draw(model) {
    const input = picture(model);
    faces.forEach(({ press, canvas }, i) => {
      set(press, "aria-pressed", String(isOwn === (i === 1)));
      const face = i ? data.input : doubtful;
      if (face) paintPicture(canvas, face, model.theme);
    });
    if (isAnother(input, model.network)) {
      [off, isHelped] = [new Set(), false];
      halt();
    }
    kind.choose(shown);
    set(all, "disabled", off.size === 0);
    const ledger = ledgerOf(input);
    /** @type {Verdict | null} */
    const reading = input && answerOf(room, "lecture/read", read(input));
    if (!ledger || !input || !reading) return;
    const after = confirmed(input);
    /** @type {Deciding | null} */
    const found = isHelped ? answerOf(room, "lecture/deciding-set", explain(input, "deciding-set")) : null;
    const { theme, network } = model;
    if (!isNew(ledger, reading, off, fallen, shown, after, found, data["lecture/maps"], theme)) return;
    const rows = rowsOf(ledger, off);
    const sums = sumsOf(rows.slice(0, fallen + 1));
    board.draw({ rows, fallen, maps: mapsOf(mapName(network, ledger)), theme });
    const temperature = network.passport?.calibration?.temperature ?? 1;
    const isWhole = fallen === Infinity;
    const shares = off.size || !isWhole ? softmax(sums, temperature) : sharesOf(reading, network);
    slots.draw(sums, shares, temperature, shown);
    const served = off.size ? after : reading;
    write(verdict, isWhole ? verdictWords(sums, off.size, ledger.shares.filters[0].length) : "");
    write(checked, isWhole && served ? checkWords(sums, served.logits) : "");
    write(helped, found ? helpWords(found) : "");
    doubt.draw(served?.doubt ?? 0, served?.doubt ? percent(served.doubt) : "none");
  }

  /** @type {(name: string) => Tensor | null} */
  function mapsOf(name) {
    const arrays = /** @type {Arrays | undefined} */ (data["lecture/maps"]?.answer);
    const found = arrays?.[name];
    return found ? { shape: found.shape.slice(1), data: found.data } : null;
  }

  return {
    root,
    draw,
    wants,
    isDone: (model) => {
      const input = picture(model);
      const ledger = ledgerOf(input);
      if (!ledger || !input || off.size > MOST_OFF) return false;
      const after = confirmed(input);
      return after !== null && after.digit !== ranking(ledger.logits)[0];
    },
    leave: halt,
  };
};

/**
 * The maps that the pegs are: of a convolution after its activation, or of the pool behind it.
 * @type {(network: Network, ledger: Sums) => string}
 */
function mapName({ layers }, { layer }) {
  return layers.find(({ name }) => name === layer)?.op === "conv" ? `${layer}.act` : layer;
}

/** @type {(network: Network) => string} */
function lastConvolution({ layers }) {
  return layers.filter(({ op }) => op === "conv").slice(-1)[0].name;
}

/** @type {(sums: number[], countOff: number, count: number) => string} */
function verdictWords(sums, countOff, count) {
  const [first, second] = ranking(sums);
  const start = countOff ? `With ${countOff} of ${count} pegs off it` : "It";
  return `${start} falls into ${first}; next is ${second}, ${fixed(sums[first] - sums[second])} behind.`;
}

/** @type {(sums: number[], logits: number[]) => string} */
function checkWords(sums, logits) {
  const far = Math.max(...sums.map((sum, digit) => Math.abs(sum - logits[digit])));
  return far < 1e-3 ? "\u2713 The service has the same ten sums." : `The service’s sums differ by up to ${short(far)}.`;
}

/** @type {(found: Deciding) => string} */
function helpWords({ filters: { found, size, members, digit_after: after } }) {
  if (!found) return "No set of pegs of this layer makes another digit win.";
  const names = members.slice(0, 6).join(", ") + (size > 6 ? " and others" : "");
  if (size === 1) return `The service finds one peg that decides: ${names}. Without it, it reads ${after}.`;
  return `The service finds ${size} pegs that decide: ${names}. Without them it reads ${after}.`;
}
