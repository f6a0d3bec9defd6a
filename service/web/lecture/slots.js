// The ten slots of step 9: their sums, e to each, and the shares that softmax makes of them.

import { ranking } from "../numbers/arithmetic.js";
import { fixed, percent, short } from "../numbers/scales.js";
import { make, set, write } from "../shared/dom.js";

/** @import { Slots, SlotKind } from "./types.d.ts" */

/** @type {[SlotKind, string][]} */
export const KINDS = [
  ["logits", "sums (logits)"],
  ["powers", "e to the sum"],
  ["shares", "shares (softmax)"],
];

/** @type {() => Slots} */
export function createSlots() {
  const slots = Array.from({ length: 10 }, (_, digit) => slotOf(digit));
  const items = slots.map((each) => each.root);
  const root = make("ol", { class: "slots", "aria-label": "The ten slots" }, items);
  const formula = make("p", { class: "formula", id: "machine-formula" }, "");

  /** @type {Slots["draw"]} */
  function draw(sums, shares, temperature, kind) {
    const powers = sums.map((sum) => Math.exp(sum / temperature));
    const [lo, hi] = [Math.min(...sums, 0), Math.max(...sums, 0)];
    const [first] = ranking(sums);
    /** @type {Record<SlotKind, [heights: number[], texts: string[]]>} */
    const all = {
      logits: [sums.map((sum) => (sum - lo) / (hi - lo || 1)), sums.map((sum) => fixed(sum, 1))],
      powers: [powers.map((power) => power / Math.max(...powers)), powers.map(brief)],
      shares: [shares, shares.map(percent)],
    };
    const [heights, texts] = all[kind];
    set(root, "class", `slots ${kind}`);
    slots.forEach(({ root: slot, fill, value, balls }, digit) => {
      fill.style.height = `${heights[digit] * 100}%`;
      write(value, texts[digit]);
      write(balls, kind === "shares" ? String(Math.round(shares[digit] * 100)) : "");
      set(slot, "class", digit === first ? "best" : null);
    });
    const total = powers.reduce((sum, power) => sum + power, 0);
    const heat = temperature === 1 ? "" : ` ÷ ${fixed(temperature, 5)}`;
    const why = heat && `; this network divides its sums by that temperature`;
    const words = {
      logits: `${first}: all pushes together are ${fixed(sums[first])}`,
      powers: `${first}: e to the ${fixed(sums[first], 5)}${heat} = ${brief(powers[first])}${why}`,
      shares: `${first}: ${fine(powers[first])} ÷ ${fine(total)} (all ten) = ${fixed(shares[first], 4)}. Of 100 balls, that many fall into it.`,
    };
    write(formula, words[kind]);
  }
  return { root, formula, draw };
}

/** @type {(digit: number) => { root: HTMLElement, fill: HTMLElement, value: HTMLElement, balls: HTMLElement }} */
function slotOf(digit) {
  const fill = make("span", { class: "fill" });
  const value = make("span", { class: "value" }, "");
  const balls = make("span", { class: "balls" }, "");
  const tube = make("span", { class: "tube", "aria-hidden": "true" }, fill);
  return { root: make("li", {}, value, tube, make("b", {}, String(digit)), balls), fill, value, balls };
}

/** @type {(value: number) => string} */
function brief(value) {
  return value < 1e5 && value >= 1e-3 ? short(value) : asPower(value.toExponential(1));
}

/**
 * Digits enough that who divides two of them finds the four places that are written.
 * @type {(value: number) => string}
 */
function fine(value) {
  return asPower(value.toPrecision(6));
}

/** @type {(text: string) => string} */
function asPower(text) {
  return text.replace("e+", " × 10^").replace("e-", " × 10^\u2212");
}
