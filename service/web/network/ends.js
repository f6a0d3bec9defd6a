// The ends of the network's row: the picture that goes in, and the ten digits that come out, each with the filters that
// gave most to it.

import { clip, fieldOf, sharesOf } from "../numbers/arithmetic.js";
import { networkCall, want } from "../state/api.js";
import { changes, make, set } from "../shared/dom.js";
import { enter, roving } from "../shared/grid.js";
import { frame, heatmap, paint, resize } from "../shared/heatmap.js";
import { colourTable, percent } from "../numbers/scales.js";
import { pairOf } from "../state/state.js";
import { verdictsOf } from "../state/subject.js";

/** @import { Data, Ledger, Model, Want } from "../state/types.d.ts" */
/** @import { Context } from "../shared/types.d.ts" */
/** @import { Ends } from "./types.d.ts" */

const SIDE = 84;
const DIGITS = 64;
export const ENDS_WIDTH = SIDE + DIGITS + 8; // pixels that the row needs for them

/**
 * What every filter gave to every digit; asked when the maps are those of the picture at hand, as the last thing.
 * @type {(model: Model) => Want[]}
 */
export function endsWant({ state, data, network }) {
  const { input } = data;
  if (!input || data.maps?.want.request.picture !== input) return [];
  // The pair is the one that Why begins with, so that both ask the same.
  const [target, rival] = data.verdict ? pairOf({ target: null, rival: null }, data.verdict.result.logits) : [];
  const call = networkCall("/v1/explain", network, input, { method: "ledger", target, rival });
  const { changes: made } = state;
  const asked = made.length ? { ...call, query: {}, json: { ...call.query, changes: made } } : call;
  return [want("ends", asked, { isOptional: true })];
}

/** @type {(context: Context) => Ends} */
export function createEnds(context) {
  const canvas = heatmap();
  const field = make("span", { class: "frame", hidden: true });
  resize(canvas, SIDE, SIDE);
  const picture = make(
    "div",
    { class: "layer end", "data-lane": "verdict" },
    make("h2", {}, "your digit", make("small", {}, "the numbers"), make("small", {}, "28 × 28")),
    make("div", { class: "framed" }, canvas, field),
  );
  /** @type {number | null} */
  let pointed = null;
  /** @type {number | null} */
  let read = null;
  /** @type {Ledger | undefined} */
  let ledger;
  /** @type {(digit: number | null) => void} */
  const point = (digit) => {
    pointed = digit;
    context.redraw();
  };
  const fills = Array.from({ length: 10 }, () => make("span", { class: "fill" }));
  const rows = fills.map((fill, digit) => {
    const track = make("span", { class: "track", "aria-hidden": "true" }, fill);
    const row = make("button", { class: "digit-end" }, String(digit), track);
    row.addEventListener("pointerenter", () => point(digit));
    row.addEventListener("pointerleave", () => point(null));
    row.addEventListener("focus", () => point(digit));
    row.addEventListener("blur", () => point(null));
    row.addEventListener("click", () => {
      context.set({ target: digit, rival: digit === read ? null : read });
      context.go("why");
    });
    return row;
  });
  const list = make("div", { class: "digits", role: "group", "aria-label": "Ten digits: why each of them" }, rows);
  enter(rows, rows[0]);
  roving(list, () => 1);
  const digits = make(
    "div",
    { class: "layer end", "data-lane": "verdict", "data-also": "edited" },
    make("h2", {}, "ten digits", make("small", {}, "shares"), make("small", {}, "press: why")),
    list,
  );
  const [pictureIsNew, digitsAreNew] = [changes(), changes()];
  /** @type {Ends["draw"]} */
  const draw = ({ state, data, network, theme }) => {
    const { at } = state;
    const layer = network.layers.find(({ name }) => name === at?.layer);
    if (pictureIsNew(data.input, theme, at)) {
      if (data.input) paint(canvas, data.input.levels, 28, 28, colourTable("pencil", theme), [0, 255]);
      frame(field, data.input && at && layer ? clip(fieldOf(layer, at.row, at.column)) : null, 28, 28);
    }
    ledger = ledgerOf(data);
    const { shown } = verdictsOf(data);
    read = shown?.digit ?? null;
    if (!digitsAreNew(shown, network)) return;
    const shares = shown && sharesOf(shown, network);
    rows.forEach((row, digit) => {
      fills[digit].style.width = `${(shares?.[digit] ?? 0) * 100}%`;
      set(row, "class", `digit-end${digit === read ? " best" : ""}`);
      set(row, "aria-label", `Why ${digit}${shares ? `, ${percent(shares[digit])}` : ""}`);
    });
  };
  const digit = () => pointed ?? read;
  return { picture, canvas, digits, rows, draw, digit, shares: (most) => strongest(ledger, digit(), most) };
}

/**
 * The ledger, if it is of the picture whose maps are shown.
 * @type {(data: Data) => Ledger | undefined}
 */
function ledgerOf({ ends, maps }) {
  return ends && ends.want.request.picture === maps?.want.request.picture ? ends.answer.results[0] : undefined;
}

/** @type {(ledger: Ledger | undefined, digit: number | null, most: number) => ReturnType<Ends["shares"]>} */
function strongest(ledger, digit, most) {
  if (!ledger || digit === null) return [];
  const all = ledger.shares.filters[digit].map((share, filter) => ({ layer: ledger.layer, filter, share }));
  const found = all.sort((a, b) => Math.abs(b.share) - Math.abs(a.share)).slice(0, most);
  const scale = Math.abs(found[0]?.share) || 1;
  return found.map((each) => ({ ...each, share: each.share / scale }));
}
