// The sentences of the page.

import { ranking } from "../numbers/arithmetic.js";
import { percent, short } from "../numbers/scales.js";
import { convolutions, kindOf, reasonOf } from "../state/kind.js";

/** @import { Refusal } from "../state/api.js" */
/** @import { Kind, Network, Reading, Verdict, ViewName } from "../state/types.d.ts" */

/**
 * A number of things: "1 filter", "2 filters", "1 class", "2 classes".
 * @type {(count: number, name: string) => string}
 */
export function counted(count, name) {
  const many = name.endsWith("s") ? `${name}es` : name.endsWith("ch") ? `${name}es` : `${name}s`;
  return `${count.toLocaleString("en")} ${count === 1 ? name : many}`;
}

/**
 * Things in rows and columns: "3 × 3 places", "1 × 1 place".
 * @type {(sides: number[], name: string) => string}
 */
export const countedIn = (sides, name) =>
  `${sides.join(" × ")} ${counted(sides.reduce((all, side) => all * side, 1), name).replace(/^\S+ /, "")}`;

/** @type {(kind: Kind | null) => string} */
export function emptyWords(kind) {
  if (kind?.isColour) return "No picture yet. Drop one, paste one, or take the example.";
  return `Nothing drawn yet. Draw ${kind && !kind.isDigits ? "something" : "a digit"}, drop a picture, or take the example.`;
}

/**
 * What stands on an empty pad.
 * @type {(kind: Kind | null) => string}
 */
export function hintWords(kind) {
  if (kind?.isColour) return "Drop a picture, or paste one";
  return kind && !kind.isDigits ? "Draw here, or drop a picture" : "Draw a digit here";
}

export const EXAMPLE = "An example. Draw over it.";
export const UNREAD = "No answer for this picture yet.";
export const WAITING = "The service has not answered yet.";

/**
 * What to do in a view while nothing is drawn.
 * @type {(view: ViewName, kind: Kind | null) => string}
 */
export function emptyView(view, kind) {
  const words = EMPTY_VIEWS[view];
  if (!kind || kind.isDigits) return words;
  const first = kind.isColour ? ["No picture yet.", "Drop a picture"] : ["Nothing drawn yet.", "Draw something"];
  return words.replace("Nothing drawn yet.", first[0]).replace(/\b(draw) a digit/i, (_, [d]) => (d === "D" ? first[1] : first[1].toLowerCase()));
}

/** @type {Record<ViewName, string>} */
const EMPTY_VIEWS = {
  lecture: "Nothing drawn yet. Draw a digit, and the lecture goes on with it.",
  network: "Nothing drawn yet. Draw a digit, and every map fills with one filter’s answer to it.",
  bench: "Nothing drawn yet. Write your filter here, and draw a digit to see it slide.",
  why: "Nothing drawn yet. Draw a digit, and see what every filter added to the decision.",
  "what-if": "Nothing drawn yet. Draw a digit, then press a map to switch its filter off.",
  filters: "Nothing drawn yet. These filters are the network’s own and need no picture.",
  learn: "Nothing drawn yet. Draw a digit, and see when a network begins to read it.",
};

/**
 * Why a view shows nothing of this network, in a sentence; "" where it shows it.
 * @type {(view: ViewName, network: Network) => string}
 */
export function faultOf(view, network) {
  const { isDigits, isAdopted, labels } = kindOf(network);
  if (view === "lecture" && isDigits && isAdopted)
    return `The lecture is told with a network of this service’s own, whose parts it names, and ${network.name} was adopted.`;
  if (view === "lecture" && !isDigits)
    return `The lecture is on the reading of digits, and ${network.name} tells ${told(labels)}.`;
  if (view === "learn" && !isDigits)
    return `Here a network of digits is seen as it learns, and ${network.name} tells ${told(labels)}. Of an adopted network no training was kept.`;
  if (view === "network") return sentence(reasonOf(network, "POST /v1/feature-maps"), network, "Why shows what its scores are made of.");
  if (["what-if", "filters"].includes(view) && !convolutions(network).length)
    return sentence(reasonOf(network, "POST /v1/what-if, and changes"), network, "Why shows what its scores are made of.");
  return "";
}

/** @type {(reason: string, network: Network, more: string) => string} */
const sentence = (reason, { name }, more) => (reason ? `This view shows nothing of ${name}: ${reason}. ${more}` : "");

/** @type {(labels: string[]) => string} */
function told(labels) {
  if (labels.length > 3) return `${counted(labels.length, "class")}, such as ${listed(labels.slice(0, 3))}`;
  return listed(labels);
}

/**
 * Words in a row: "a", "a and b", "a, b and c".
 * @type {(words: string[]) => string}
 */
const listed = (words) => [words.slice(0, -1).join(", "), ...words.slice(-1)].filter(Boolean).join(" and ");

/**
 * What each view shows, and what to try in it. A part in [brackets] is a link, a word in {braces} one of the glossary.
 * The lecture says so step by step, and learning in each of its parts.
 * @type {Record<Exclude<ViewName, "lecture" | "learn">, string>}
 */
export const CAPTIONS = {
  // Of digits; those of other classes are below.
  network:
    "Your digit goes in at the left, and ten digits come out at the right. Each small picture between is a {map}: the answers of one {filter}. A {conv} layer has filters, a {pool} layer makes its maps smaller. Point at a map to see the sum behind a cell, and click to pin it. Start with the [strongest answer], look at the sums [before] their {activation}, or [shift the digit by a pixel] to see what {pooling} forgives.",
  bench:
    "A {filter} slides over the picture. The {patch} under the window is multiplied with it cell by cell, and the products are summed: one cell of the {map}. [Play], or drag the window on the picture. Take [the lecture’s edge], [the opposite one], or [a learnt filter]; or paint your own. Steps of 2 leave an [unread edge], [padding] reads it, [steps of 7] make the patches touch. Then [pool and filter again]: a network of your own.",
  why: "A ball starts at the {bias}. Each filter of the last layer is a peg. A peg pushes the ball towards one digit (blue, right) or towards its rival (orange, left) by its {share}. Where the ball lands is the {margin} of their {logits}, and the sum is exact. [Drop it], switch a filter off by its name, or ask for [the smallest set that flips it].",
  "what-if":
    "Press a map to switch its {filter} off. The maps after it, the {logits}, their {softmax} and the verdict follow. How many filters can the network lose? Try [every other filter of the first layer], or [put them all back].",
  filters:
    "These are the {filters} that the network has learnt, a layer at a time. One of a deeper layer has a {channel} for each map before it. A card says what is known of a filter before it sees a picture. Choose a filter to read its card, to edit it, or to switch it off.",
};

/**
 * The captions that are others where a network tells other classes than the digits.
 * @type {{ network: string, why: string }}
 */
export const CAPTIONS_OF_CLASSES = {
  network:
    "The picture goes in at the left, and its most probable classes come out at the right. Each small picture between is a {map}: of a {conv} layer the answers of one {filter}, of a {pool} layer a smaller one. Point at a map to see what is behind a cell, and click to pin it. Start with the [strongest answer], look at the sums [before] their {activation}, or [shift the picture by a pixel] to see what {pooling} forgives.",
  why: "A ball starts at what the network says without any filter. Each filter of the layer that is told below is a peg. A peg pushes the ball towards one class (blue, right) or towards its rival (orange, left) by its {share}. Where the ball lands is the {margin} of their {logits}. [Drop it], switch a filter off by its name, or ask for [the smallest set that flips it].",
};

/** Beside what an adopted network answers as it came alone. */
export const UNCHANGED = "Of the network as it was adopted, without your changes.";

export const UNREADABLE =
  "This file is no picture that can be read here. PNG, JPEG, WEBP, GIF and BMP can. Your drawing is kept.";
/** @type {(size: { width: number, height: number }) => string} */
export const linkKeepsPixels = ({ width, height }) =>
  `The link keeps the ${height} × ${width} pixels that the network saw. It does not keep your photo.`;
/** @type {(letters: number) => string} */
export const linkIsLong = (letters) =>
  `It has ${counted(letters, "letter")}, and a program that passes links on may cut it. Keep the picture’s file as well.`;
export const LINK_KEEPS_NO_PICTURE =
  "The link reopens this view, this network and these changes. It has no room for a picture of this size: keep the file.";
export const LINK_KEEPS_ALL =
  "The link reopens this picture, this view, this filter and these changes. They are sent to a server only when someone opens the link.";
export const ABOUT =
  "You can also drop a picture anywhere on the page, or paste one. The address of the page holds everything you see. Every number comes from the service's API.";

/**
 * What the network says with the kernel of the editor in a place.
 * @type {(place: string, before: Verdict, shown: Verdict) => string}
 */
export function replaced(place, before, shown) {
  /** @type {(verdict: Verdict) => string} */
  const read = (verdict) => `${verdict.label} (confidence ${percent(verdict.confidence)})`;
  return `With your filter as ${place} it reads ${read(shown)}. Before, it read ${read(before)}. Every view now shows the changed network.`;
}

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
 * The confidence, and the lines under it; shares: of the classes, before doubt; pieces: of ink that do not touch.
 * @type {(verdict: Verdict, shares: number[], labels: string[], pieces: number) => [confidence: string, aside: string]}
 */
export function reading(verdict, shares, labels, pieces) {
  const [first, second] = ranking(shares);
  const name = verdict.doubt ? "Confidence, after doubt." : "Confidence.";
  const rest =
    verdict.is_digit === false
      ? `This may not be ${pieces > 1 ? `one digit: its ink is in ${counted(pieces, "piece")}` : "a digit"}. Closest: ${labels[first]}. Novelty ${short(verdict.novelty)} (0 is like a digit, 1 unlike any).`
      : `Next: ${labels[second]}, ${percent(shares[second])}.`;
  return [percent(verdict.confidence), `${name} ${rest}`];
}

/** @type {(isOfDigits: boolean) => string} */
export const cameraHint = (isOfDigits) =>
  `Hold ${isOfDigits ? "a digit" : "what is to be read"} in front of the camera. Escape stops it.`;

/** @type {(reason: string) => string} */
export function noCamera(reason) {
  return `The camera cannot be used here (${reason}). "Picture…" takes a file or, on a phone, a photo.`;
}

export const WHOLE = "all of it";

/**
 * Why a digit of a number is not answered for.
 * @type {Record<string, string>}
 */
export const REASONS = {
  unsure: "not sure",
  touching: "not sure, it touches its neighbour",
  cut_by_edge: "not sure, the edge cuts it",
  not_a_digit: "this may not be a digit",
};

/**
 * What is said under a number.
 * @type {(reading: Reading) => string}
 */
export function numberWords({ digits }) {
  const unsure = digits.filter(({ digit }) => digit === null).length;
  const doubt = unsure ? ` ${unsure} of them ${unsure === 1 ? "is" : "are"} not sure, and marked ?.` : "";
  return `${counted(digits.length, "digit")}.${doubt} Press one to see it in every view.`;
}

/** @type {(reading: Reading) => string} */
export function spokenNumber({ text, digits }) {
  const spelt = [...text].map((letter) => (letter === "?" ? "not sure" : letter)).join(" ");
  return `A number of ${counted(digits.length, "digit")}: ${spelt}.`;
}

/**
 * What is spoken when the pen rests.
 * @type {(verdict: Verdict, shares: number[], labels: string[]) => string}
 */
export function spoken(verdict, shares, labels) {
  const [first, second] = ranking(shares);
  const start = verdict.is_digit === false ? "This may not be a digit. Closest:" : "Reads as";
  return `${start} ${labels[first]}, confidence ${percent(verdict.confidence)}. Next ${labels[second]}, ${percent(shares[second])}.`;
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
  if (status === 409) return `This network does not answer that. ${problem.detail}`;
  return problem.detail || problem.title || `The service answered ${status}.`;
}

/**
 * Why it is not known whether a picture has several digits.
 * @type {(error: Refusal) => string}
 */
export const notLooked = (error) => `It was not read as a number of several digits: ${refusal(error)}`;

/** @type {(edge: number[]) => string} */
export function unread([rows, columns]) {
  /** @type {[number, string][]} */
  const edges = [
    [rows, "row"],
    [columns, "column"],
  ];
  const parts = edges.filter(([count]) => count > 0);
  if (!parts.length) return "every pixel is read";
  const words = parts.map(([count, name]) => counted(count, name)).join(" and ");
  return `${words} at the edge ${rows + columns > 1 ? "are" : "is"} never read`;
}

export const SINGLE = "P and Space act on the page. Switch this off where keys are pressed by speech, or by mistake.";

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
  ["Window", "the slider's arrows move by a patch, Page Up and Page Down by a row, Space plays"],
  ["Lecture", "Space goes on, Shift Space back"],
  ["Page", "P presents: everything is larger, for a projector; P again goes back"],
];
