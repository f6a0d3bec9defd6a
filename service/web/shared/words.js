// The sentences of the page that depend on what happened.

import { percent, short } from "../numbers/scales.js";

/** @import { Refusal } from "../state/api.js" */
/** @import { Verdict, ViewName } from "../state/types.d.ts" */

export const EMPTY = "Nothing drawn yet. Draw a digit, drop a picture, or take the example.";
export const EXAMPLE = "An example. Draw over it.";
export const UNREAD = "No answer for this picture yet.";
export const WAITING = "The service has not answered yet.";

/**
 * What to do in each view while nothing is drawn.
 * @type {Record<ViewName, string>}
 */
export const EMPTY_VIEWS = {
  network: "Nothing drawn yet. Draw a digit, and every map fills with one filter’s answer to it.",
  window: "Nothing drawn yet. Draw a digit, and the window slides over it.",
  filter: "Nothing drawn yet. Write your filter here, and draw a digit to see its answer.",
  why: "Nothing drawn yet. Draw a digit, and see what every filter added to the decision.",
  "what-if": "Nothing drawn yet. Draw a digit, then press a map to switch its filter off.",
  filters: "Nothing drawn yet. These filters are the network’s own and need no picture.",
};

/**
 * How old an answer is: "12 s old", "3 min old".
 * @type {(milliseconds: number) => string}
 */
export function aged(milliseconds) {
  const seconds = Math.round(milliseconds / 1000);
  return seconds < 120 ? `${seconds} s old` : `${Math.round(seconds / 60)} min old`;
}

export const DOUBT =
  "Doubt is how much was given back evenly, because the picture is unlike a digit. The bars are before it, the confidence is after it.";

/**
 * The confidence, and the lines under it; shares: of the ten digits, before doubt.
 * @type {(verdict: Verdict, shares: number[]) => [confidence: string, aside: string]}
 */
export function reading(verdict, shares) {
  const order = shares.map((share, digit) => [share, digit]).sort((a, b) => b[0] - a[0]);
  const [[, first], [share, second]] = order;
  const name = verdict.doubt ? "Confidence, after doubt." : "Confidence.";
  const rest =
    verdict.is_digit === false
      ? `This may not be a digit. Closest: ${first}. Novelty ${short(verdict.novelty)}.`
      : `Next: ${second}, ${percent(share)}.`;
  return [percent(verdict.confidence), `${name} ${rest}`];
}

/**
 * What is spoken when the pen rests.
 * @type {(verdict: Verdict, shares: number[]) => string}
 */
export function spoken(verdict, shares) {
  const order = shares.map((share, digit) => [share, digit]).sort((a, b) => b[0] - a[0]);
  const [[, first], [next, second]] = order;
  const start = verdict.is_digit === false ? "This may not be a digit. Closest:" : "Reads as";
  return `${start} ${first}, confidence ${percent(verdict.confidence)}. Next ${second}, ${percent(next)}.`;
}

/**
 * A refusal, in words for a person.
 * @type {(error: Refusal) => string}
 */
export function refusal(error) {
  const { status, problem } = error;
  if (status === 0) return "The service does not answer. Your drawing is kept; trying again in 3 s.";
  if (status === 401) return "This service wants a key.";
  if (status === 429 || status === 503) return "The service is busy; slower updates for a moment.";
  if (status === 404 && /nothing at/.test(problem.detail || "")) return "This service does not offer that call yet.";
  if (status === 409) return `This network's decision is not a sum of shares. ${problem.detail}`;
  return problem.detail || problem.title || `The service answered ${status}.`;
}

/** @type {(edge: number[]) => string} */
export function unread([rows, columns]) {
  /** @type {[number, string][]} */
  const edges = [
    [rows, "row"],
    [columns, "column"],
  ];
  const parts = edges.filter(([count]) => count > 0);
  if (!parts.length) return "every pixel is read";
  const words = parts.map(([count, name]) => `${count} ${name}${count > 1 ? "s" : ""}`).join(" and ");
  return `${words} at the edge ${rows + columns > 1 ? "are" : "is"} never read`;
}

/** @type {[where: string, keys: string][]} */
export const KEYS = [
  ["Pad", "arrows move the pen, Shift + arrows draws, Space makes a dot, Delete clears, Ctrl Z undoes"],
  ["Views", "arrows, Home and End change the view"],
  ["Maps of a layer", "arrows move from map to map, Enter pins one and goes to its cells"],
  [
    "Cells of a map",
    "arrows move by a cell, Home and End to the ends of a row, Page Up and Page Down to another filter, Enter pins, Esc lets go",
  ],
  ["Kernel", "arrows move, typing writes a number, + and - change it by 0.1, Delete writes 0, Ctrl V pastes a table"],
  ["Window", "the slider's arrows move by a patch, Page Up and Page Down by a row"],
];
