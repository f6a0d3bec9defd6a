// The verdict: digit, confidence, ten bars, and the 28 x 28 that the network saw.

import { piecesOf, sharesOf } from "../numbers/arithmetic.js";
import { byId, changes, make, set, term, write } from "../shared/dom.js";
import { paint } from "../shared/heatmap.js";
import { colourTable, percent } from "../numbers/scales.js";
import { standingOf } from "../shared/standing.js";
import { INK_SIDE } from "../state/picture.js";
import { verdictsOf } from "../state/subject.js";
import { aged, DOUBT, EMPTY, reading, UNREAD, WAITING } from "../shared/words.js";

/** @import { Lanes } from "../state/api.js" */
/** @import { Frame, Network, Verdict, VerdictEntry } from "../state/types.d.ts" */
/** @import { Bar, DoubtBar } from "./types.d.ts" */

/** @type {(lanes: Lanes) => { draw(model: Frame & { network: Network | null }): void }} */
export function createVerdict(lanes) {
  const [box, digit, confidence, aside] = ["verdict", "digit", "confidence", "aside"].map((id) => byId(id));
  const rows = Array.from({ length: 10 }, (_, label) => makeRow(label));
  byId("bars").append(...rows.map((row) => row.root));
  const seen = /** @type {HTMLCanvasElement} */ (byId("seen"));
  const doubt = makeDoubt(byId("doubt"));
  const seenIsNew = changes();
  const isNew = changes();

  /** @type {(model: Frame & { network: Network | null }) => void} */
  function draw({ data, theme, isEmpty, network }) {
    const { before, shown } = verdictsOf(data);
    const missing = isEmpty ? EMPTY : lanes.standing("verdict").error ? UNREAD : lanes.standing("verdict").want ? WAITING : "";
    const age = shown ? ageOf(lanes) : "";
    if (isNew(before, shown, missing, age)) {
      const shares = shown && sharesOf(shown, network);
      const sharesBefore = before && sharesOf(before, network);
      const [words, rest] = shown && shares ? reading(shown, shares, pieces(shown, data.verdict)) : ["", missing];
      write(digit, shown ? String(shown.digit) : "–");
      write(confidence, words);
      write(aside, age || rest);
      rows.forEach((row, label) => drawRow(row, label, shown, shares, sharesBefore));
      drawDoubt(doubt, shown?.doubt ?? 0);
    }
    set(box, "class", `verdict${shown?.is_digit === false ? " doubt" : ""}`);
    if (seenIsNew(data.input, theme)) {
      paint(seen, data.input?.levels || new Uint8Array(784), 28, 28, colourTable("pencil", theme), [0, 255]);
    }
  }
  return { draw };
}

/**
 * How many pieces the ink of a drawing is in, where it may not be a digit: then that may be why.
 * @type {(verdict: Verdict, entry: VerdictEntry | null | undefined) => number}
 */
function pieces(verdict, entry) {
  const picture = entry?.want.request.picture;
  if (verdict.is_digit !== false || !picture || picture.bytes || picture.width !== INK_SIDE) return 1;
  return piecesOf(picture.levels, INK_SIDE);
}

/**
 * How old the verdict is that is shown, where it is not of the picture and the changes at hand.
 * @type {(lanes: Lanes) => string}
 */
function ageOf(lanes) {
  const [verdict, edited] = ["verdict", "edited"].map((lane) => standingOf(lanes, lane));
  if (verdict.isLate) return `Of the picture before, ${aged(verdict.age)}.`;
  return edited.isLate ? "Of the network before the last change." : "";
}

/** @type {(label: number) => Bar} */
function makeRow(label) {
  const fill = make("span", { class: "fill" });
  const tick = make("span", { class: "tick", hidden: true });
  const share = make("span", { class: "share" }, "");
  const root = make(
    "li",
    {},
    make("span", {}, String(label)),
    make("span", { class: "track", "aria-hidden": "true" }, fill, tick),
    share,
  );
  return { root, fill, tick, share };
}

/**
 * @type {(bar: Bar, label: number, verdict: Verdict | null, shares: number[] | null, before: number[] | null) => void}
 */
function drawRow({ root, fill, tick, share }, label, verdict, shares, before) {
  const value = shares ? shares[label] : 0;
  fill.style.width = `${value * 100}%`;
  write(share, verdict ? percent(value) : "");
  set(root, "class", verdict?.digit === label ? "best" : null);
  set(tick, "hidden", !before);
  if (before) tick.style.left = `calc(${before[label] * 100}% - 1.5px)`;
}

/** @type {(root: HTMLElement) => DoubtBar} */
function makeDoubt(root) {
  const fill = make("span", { class: "fill" });
  const share = make("span", { class: "share" }, "");
  const track = make("span", { class: "track", "aria-hidden": "true" }, fill);
  root.append(make("p", {}, term("doubt"), track, share), make("p", { class: "muted" }, DOUBT));
  return { root, fill, share };
}

/** @type {(bar: DoubtBar, doubt: number) => void} */
function drawDoubt({ root, fill, share }, doubt) {
  set(root, "hidden", doubt === 0);
  fill.style.width = `${doubt * 100}%`;
  write(share, percent(doubt));
}
