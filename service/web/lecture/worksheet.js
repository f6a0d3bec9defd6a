// The nine questions on paper, with the digit on it.

import { make } from "../shared/dom.js";
import { heatmap } from "../shared/heatmap.js";
import { STEPS } from "./lecture.js";
import { paintPicture } from "./parts.js";

/** @import { Data } from "../state/types.d.ts" */

/** @type {[question: string, lines: number][]} */
const QUESTIONS = [
  ["Shade one square of the digit that is 0 and one that is 1. How many numbers is the whole picture?", 1],
  ["How many patches of 7 × 7 are there at stride 7, 4 and 2? Write the sum. Why are there not 196 at stride 2?", 3],
  ["Choose a patch on the digit and frame it. Is its sum with the filter \\ greater than 0? Say why.", 2],
  ["Sketch the map of the filter \\. Where is it darkest blue?", 3],
  ["Name a place where \\ and / answer with opposite signs. What does the digit look like there?", 2],
  ["Write 3 × 3 weights that see an upright edge, and no level one. What do they add up to?", 3],
  ["The map holds 2.1, 0.4, −3.0 and 1.7. What does pooling keep: the greatest, and the mean?", 1],
  ["How many weights do 20 filters of 7 × 7 have, with a bias each? And 784 pixels to 20 units?", 2],
  ["Two sums are 7.8 and 6.5, the others far below. Divide by the temperature, 1.17. Which are their shares by softmax?", 3],
];

/** @type {(data: Data) => HTMLElement[]} */
export function worksheet({ base, verdict }) {
  const digit = heatmap();
  if (base) paintPicture(digit, base, "light");
  const read = verdict ? `The network reads this as ${verdict.result.digit}.` : "Draw the digit here.";
  const list = QUESTIONS.map(([question, lines], i) =>
    make(
      "li",
      {},
      make("p", {}, make("b", {}, `${i + 1} ${STEPS[i].title}. `), question),
      Array.from({ length: lines }, () => make("div", { class: "line" })),
    ),
  );
  const name = make("p", { class: "who" }, "Name: ", make("span", { class: "line" }));
  const face = make("figure", {}, digit, make("figcaption", {}, read));
  return [
    make(
      "div",
      { class: "sheet-head" },
      make("div", {}, make("h2", {}, "From pixels to a digit, in nine steps"), name),
      face,
    ),
    make("ol", {}, list),
  ];
}
