// The verdict: what is read, with what confidence, a bar for each digit or for the most probable classes, and what the
// network saw.

import { piecesOf, ranking, sharesOf } from "../numbers/arithmetic.js";
import { byId, changes, make, set, term, write } from "../shared/dom.js";
import { paintPicture } from "../shared/heatmap.js";
import { percent } from "../numbers/scales.js";
import { standingOf } from "../shared/standing.js";
import { kindOf, SHOWN_CLASSES } from "../state/kind.js";
import { INK_SIDE } from "../state/picture.js";
import { verdictsOf } from "../state/subject.js";
import { aged, DOUBT, emptyWords, reading, UNREAD, WAITING } from "../shared/words.js";

/** @import { Lanes } from "../state/api.js" */
/** @import { Frame, Kind, Network, Verdict, VerdictEntry } from "../state/types.d.ts" */
/** @import { Bar, DoubtBar } from "./types.d.ts" */

const DIGITS = 10;

/** @type {(lanes: Lanes) => { draw(model: Frame & { network: Network | null }): void }} */
export function createVerdict(lanes) {
  const [box, digit, confidence, aside] = ["verdict", "digit", "confidence", "aside"].map((id) => byId(id));
  const bars = byId("bars");
  /** @type {Bar[]} */
  let rows = [];
  const seen = /** @type {HTMLCanvasElement} */ (byId("seen"));
  const doubt = makeDoubt(byId("doubt"));
  const [seenIsNew, isNew, kindIsNew] = [changes(), changes(), changes()];

  /** @type {(model: Frame & { network: Network | null }) => void} */
  function draw({ data, theme, isEmpty, network }) {
    const { before, shown } = verdictsOf(data);
    const kind = network && kindOf(network);
    if (kindIsNew(kind)) rows = build(kind);
    const missing = isEmpty ? emptyWords(kind) : lanes.standing("verdict").error ? UNREAD : lanes.standing("verdict").want ? WAITING : "";
    const age = shown ? ageOf(lanes) : "";
    if (isNew(before, shown, missing, age, kind)) {
      const shares = shown && sharesOf(shown, network);
      const sharesBefore = before && sharesOf(before, network);
      const labels = kind?.labels ?? rows.map((_, i) => String(i));
      const [words, rest] = shown && shares ? reading(shown, shares, labels, pieces(shown, data.verdict)) : ["", missing];
      write(digit, shown ? shown.label : "–");
      set(digit, "title", shown && !kind?.isDigits ? shown.label : null);
      write(confidence, words);
      write(aside, age || rest);
      set(aside, "class", age || !shown || shown.is_digit === false ? "aside" : "aside next");
      const first = !kind || kind.isDigits ? [...rows.keys()] : ranking(shares ?? []);
      rows.forEach((row, i) => drawRow(row, first[i], labels, shown, shares, sharesBefore));
      drawDoubt(doubt, shown?.doubt ?? 0);
    }
    set(box, "class", `verdict${shown?.is_digit === false ? " doubt" : ""}${kind && !kind.isDigits ? " named" : ""}`);
    if (kind && seenIsNew(data.input, theme, kind)) paintPicture(seen, data.input ?? blank(kind), theme);
  }

  /** @type {(kind: Kind | null) => Bar[]} */
  function build(kind) {
    const isOfDigits = !kind || kind.isDigits;
    const count = kind?.isDigits === false ? Math.min(SHOWN_CLASSES, kind.labels.length) : DIGITS;
    const made = Array.from({ length: count }, () => makeRow());
    bars.replaceChildren(...made.map((row) => row.root));
    set(bars, "class", isOfDigits ? "bars" : "bars named");
    set(bars, "aria-label", isOfDigits ? "Probability of each digit" : "The most probable classes");
    return made;
  }
  return { draw };
}

/**
 * A picture of nothing: of ink paper, else a ground between black and white.
 * @type {(kind: Kind) => import("../numbers/types.d.ts").Levels}
 */
function blank({ form }) {
  const levels = new Uint8Array(form.width * form.height * form.channels).fill(form.isInk ? 0 : 255);
  return { ...form, levels };
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

/** @type {() => Bar} */
function makeRow() {
  const name = make("span", { class: "name" }, "");
  const fill = make("span", { class: "fill" });
  const tick = make("span", { class: "tick", hidden: true });
  const share = make("span", { class: "share" }, "");
  const root = make(
    "li",
    {},
    name,
    make("span", { class: "track", "aria-hidden": "true" }, fill, tick),
    share,
  );
  return { root, name, fill, tick, share };
}

/**
 * @type {(bar: Bar, index: number | undefined, labels: string[], verdict: Verdict | null, shares: number[] | null,
 *   before: number[] | null) => void}
 */
function drawRow({ root, name, fill, tick, share }, index = -1, labels, verdict, shares, before) {
  const value = shares?.[index] ?? 0;
  const label = labels[index] ?? "";
  write(name, label);
  set(name, "title", label);
  fill.style.width = `${value * 100}%`;
  write(share, verdict ? percent(value) : "");
  set(root, "class", verdict?.class === index ? "best" : null);
  set(tick, "hidden", !before);
  if (before) tick.style.left = `calc(${(before[index] ?? 0) * 100}% - 1.5px)`;
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
