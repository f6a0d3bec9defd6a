// The ends of the network's row: the picture that goes in, and what comes out: the ten digits, or the most probable
// classes, each with the filters that gave most to it.

import { clip, fieldOf, ranking, sharesOf } from "../numbers/arithmetic.js";
import { networkCall, want } from "../state/api.js";
import { changes, make, set, write } from "../shared/dom.js";
import { enter, roving } from "../shared/grid.js";
import { frame, heatmap, paintPicture, resize } from "../shared/heatmap.js";
import { percent } from "../numbers/scales.js";
import { kindOf, labelOf, methodReason, SHOWN_CLASSES } from "../state/kind.js";
import { pairOf } from "../state/state.js";
import { verdictsOf } from "../state/subject.js";

/** @import { Data, Kind, Ledger, Model, Network, Want } from "../state/types.d.ts" */
/** @import { Context } from "../shared/types.d.ts" */
/** @import { Ends } from "./types.d.ts" */

const SIDE = 84;
const [DIGITS, NAMES] = [64, 156]; // pixels

/**
 * The pixels that the row needs for its ends.
 * @type {(network: Network) => number}
 */
export const endsWidth = (network) => SIDE + (kindOf(network).isDigits ? DIGITS : NAMES) + 8;

/**
 * What every filter gave to every class; asked when the maps are those of the picture at hand, as the last thing.
 * @type {(model: Model) => Want[]}
 */
export function endsWant({ state, data, network }) {
  const { input } = data;
  if (!input || data.maps?.want.request.picture !== input || methodReason(network, "ledger")) return [];
  // An adopted network is walked back as it came alone.
  if (kindOf(network).isAdopted && state.changes.length) return [];
  // The pair is the one that Why begins with, so that both ask the same.
  const [target, rival] = data.verdict ? pairOf({ target: null, rival: null }, data.verdict.result.logits) : [];
  const call = networkCall("/v1/explain", network, input, { method: "ledger", target, rival });
  const { changes: made } = state;
  const asked = made.length ? { ...call, query: {}, json: { ...call.query, changes: made } } : call;
  return [want("ends", asked, { isOptional: true })];
}

/** @type {(context: Context, network: Network) => Ends} */
export function createEnds(context, network) {
  const kind = kindOf(network);
  const { width, height } = kind.form;
  const canvas = heatmap();
  const field = make("span", { class: "frame", hidden: true });
  const scale = SIDE / Math.max(width, height);
  resize(canvas, width * scale, height * scale);
  const picture = make(
    "div",
    { class: "layer end", "data-lane": "verdict" },
    make(
      "h2",
      {},
      kind.isDigits ? "your digit" : "your picture",
      make("small", {}, kind.isColour ? "red, green, blue" : "the numbers"),
      make("small", {}, `${height} × ${width}`),
    ),
    make("div", { class: "framed" }, canvas, field),
  );
  /** @type {number | null} */
  let pointed = null;
  /** @type {number | null} */
  let read = null;
  /** @type {Ledger | undefined} */
  let ledger;
  /** @type {(label: number | null) => void} */
  const point = (label) => {
    pointed = label;
    context.redraw();
  };
  let shownClasses = shownOf(kind, []);
  const fills = shownClasses.map(() => make("span", { class: "fill" }));
  const names = shownClasses.map((label) => make("span", { class: "name" }, labelOf(network, label)));
  const rows = fills.map((fill, i) => {
    const track = make("span", { class: "track", "aria-hidden": "true" }, fill);
    const row = make("button", {}, names[i], track);
    row.addEventListener("pointerenter", () => point(shownClasses[i]));
    row.addEventListener("pointerleave", () => point(null));
    row.addEventListener("focus", () => point(shownClasses[i]));
    row.addEventListener("blur", () => point(null));
    row.addEventListener("click", () => {
      const label = shownClasses[i];
      context.set({ target: label, rival: label === read ? null : read });
      context.go("why");
    });
    return row;
  });
  const group = kind.isDigits ? "Ten digits: why each of them" : "The most probable classes: why each of them";
  const list = make("div", { class: kind.isDigits ? "digits" : "digits named", role: "group", "aria-label": group }, rows);
  enter(rows, rows[0]);
  roving(list, () => 1);
  const classes = make(
    "div",
    { class: "layer end", "data-lane": "verdict", "data-also": "edited" },
    make("h2", {}, kind.isDigits ? "ten digits" : `the first ${rows.length}`, make("small", {}, "shares"), make("small", {}, "press: why")),
    list,
  );
  const [pictureIsNew, sharesAreNew] = [changes(), changes()];
  /** @type {Ends["draw"]} */
  const draw = ({ state, data, theme }) => {
    const { at } = state;
    const layer = network.layers.find(({ name }) => name === at?.layer);
    if (pictureIsNew(data.input, theme, at)) {
      if (data.input) paintPicture(canvas, data.input, theme);
      frame(field, data.input && at && layer ? clip(fieldOf(layer, at.row, at.column), kind.form) : null, height, width);
    }
    ledger = ledgerOf(data);
    const { shown } = verdictsOf(data);
    read = shown?.class ?? null;
    if (!sharesAreNew(shown, network)) return;
    const shares = shown && sharesOf(shown, network);
    shownClasses = shownOf(kind, shares ?? []);
    rows.forEach((row, i) => {
      const label = shownClasses[i];
      write(names[i], labelOf(network, label));
      fills[i].style.width = `${(shares?.[label] ?? 0) * 100}%`;
      set(row, "class", `class-end${label === read ? " best" : ""}`);
      set(row, "aria-label", `Why ${labelOf(network, label)}${shares ? `, ${percent(shares[label])}` : ""}`);
      set(row, "title", kind.isDigits ? null : labelOf(network, label));
    });
  };
  const label = () => pointed ?? read;
  const row = () => rows[shownClasses.indexOf(label() ?? -1)] ?? null;
  return { picture, canvas, classes, row, draw, label, shares: (most) => strongest(ledger, label(), most) };
}

/**
 * The classes that are shown, in the order in which they stand.
 * @type {(kind: Kind, shares: number[]) => number[]}
 */
function shownOf({ isDigits, labels }, shares) {
  const all = [...labels.keys()];
  if (isDigits) return all;
  return (shares.length ? ranking(shares) : all).slice(0, SHOWN_CLASSES);
}

/**
 * The ledger, if it is of the picture whose maps are shown.
 * @type {(data: Data) => Ledger | undefined}
 */
function ledgerOf({ ends, maps }) {
  return ends && ends.want.request.picture === maps?.want.request.picture ? ends.answer.results[0] : undefined;
}

/** @type {(ledger: Ledger | undefined, label: number | null, most: number) => ReturnType<Ends["shares"]>} */
function strongest(ledger, label, most) {
  if (!ledger || label === null) return [];
  // Of many classes, the ledger has the target and its rival alone.
  const row = ledger.shares.filters[ledger.classes ? ledger.classes.indexOf(label) : label] ?? [];
  const all = row.map((share, filter) => ({ layer: ledger.layer, filter, share }));
  const found = all.sort((a, b) => Math.abs(b.share) - Math.abs(a.share)).slice(0, most);
  const scale = Math.abs(found[0]?.share) || 1;
  return found.map((each) => ({ ...each, share: each.share / scale }));
}
