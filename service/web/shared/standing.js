// Says whether what is on the screen answers what is asked now. An element that shows answers names their lanes:
// data-lane has those that it needs, data-also those that it shows where there are any. Here an element is marked where
// an answer is missing or old, and a sentence in the open view says why and what to do.

import { byId, make, set, write } from "./dom.js";
import { kindOf } from "../state/kind.js";
import { aged, emptyView, refusal, WAITING } from "./words.js";

/** @import { Lanes } from "../state/api.js" */
/** @import { Data, Frame, Network, ViewName, Want } from "../state/types.d.ts" */
/** @import { Context, Sentence, Told } from "./types.d.ts" */

/** @typedef {Frame & { network: Network | null }} Shown */

export const LATE_MS = 500; // before that an answer is on its way, and a mark would only flicker
const OLDER_MS = 5000; // how often the age of an old answer is written again

/** @typedef {{ words: string, link: HTMLElement | null }} Fault why a view shows nothing of a network, and a way out */

/** @type {(context: Context) => { draw(model: Shown, wanted: Want[], fault: Fault | null): void }} */
export function createStanding(context) {
  /** @type {Map<ViewName, Sentence>} */
  const sentences = new Map();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  /**
   * wanted: what the open view and the rail ask at this moment
   * @type {(model: Shown, wanted: Want[], fault: Fault | null) => void}
   */
  function draw(model, wanted, fault) {
    const standings = new Map(wanted.map(({ lane }) => [lane, standingOf(context.lanes, lane)]));
    const marks = new Set();
    for (const part of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-lane]"))) {
      const mark = markOf(part, model.data, standings);
      if (part.dataset.standing !== mark) set(part, "data-standing", mark);
      if (mark && part.closest(".stage") && part.getClientRects().length) marks.add(mark);
    }
    const sentence = sentenceOf(model.state.view);
    if (fault) tellFault(sentence, fault);
    else tell(sentence, { model, wanted, standings, marks });
    clearTimeout(timer);
    const waits = [...standings.values()].filter(({ isSettled }) => !isSettled);
    const next = Math.min(...waits.map(({ waited, isLate }) => (isLate ? OLDER_MS : LATE_MS - waited + 1)));
    if (waits.length) timer = setTimeout(context.redraw, next);
  }

  /** @type {(view: ViewName) => Sentence} */
  function sentenceOf(view) {
    const known = sentences.get(view);
    if (known) return known;
    const [reason, rest] = [make("span", { role: "status" }), make("span", {})];
    const root = make("p", { class: "standing", hidden: true }, reason, " ", rest);
    byId(`view-${view}`).prepend(root);
    sentences.set(view, { root, reason, rest });
    return { root, reason, rest };
  }
  return { draw };
}

/**
 * A lane's standing, and whether that is to be told. An answer about a picture cannot be newer than the verdict,
 * which tells what picture the network saw.
 * @type {(lanes: Lanes, lane: string) => Told}
 */
export function standingOf(lanes, lane) {
  const own = lanes.standing(lane);
  const verdict = lanes.standing("verdict");
  const isOfPicture = lane !== "verdict" && own.want?.request.picture;
  const found = isOfPicture && !verdict.isSettled ? { ...verdict, age: own.age } : own;
  return { ...found, isLate: found.error !== null || found.waited > LATE_MS };
}

/** @type {(part: HTMLElement, data: Data, standings: Map<string, Told>) => "none" | "old" | null} */
function markOf({ dataset: { lane = "", also = "" } }, data, standings) {
  const needed = lane.split(" ");
  if (!needed.every((name) => data[/** @type {keyof Data} */ (name)])) return "none";
  const isOld = [...needed, ...also.split(" ")].some((name) => standings.get(name)?.isLate);
  return isOld ? "old" : null;
}

/** @type {(sentence: Sentence, fault: Fault) => void} */
function tellFault({ root, reason, rest }, { words, link }) {
  set(root, "class", "standing");
  set(root, "hidden", false);
  if (reason.textContent === words) return;
  write(reason, words);
  rest.replaceChildren(...(link ? [link] : []));
}

/**
 * @type {(sentence: Sentence, now: { model: Shown, wanted: Want[], standings: Map<string, Told>,
 *   marks: Set<string> }) => void}
 */
function tell({ root, reason, rest }, { model, wanted, standings, marks }) {
  const told = wanted.filter(({ isOptional }) => !isOptional).map(({ lane }) => standings.get(lane));
  const failed = told.find((standing) => standing?.error)?.error;
  const isLate = told.some((standing) => standing?.isLate);
  const why = failed ? refusal(failed) : model.isEmpty ? emptyView(model.state.view, model.network && kindOf(model.network)) : isLate ? WAITING : "";
  write(reason, why);
  write(rest, isLate ? meaning(marks, [...standings.values()]) : "");
  set(root, "class", failed ? "standing problem" : "standing");
  set(root, "hidden", !why);
}

/** @type {(marks: Set<string>, standings: Told[]) => string} */
function meaning(marks, standings) {
  const ages = standings.filter(({ isLate, age }) => isLate && age >= 0).map(({ age }) => age);
  const old = `What is grey is an earlier answer, ${aged(Math.max(...ages))}. It is not about what is asked now.`;
  return [marks.has("old") ? old : "", marks.has("none") ? "What is hatched has no answer yet." : ""].join(" ").trim();
}
