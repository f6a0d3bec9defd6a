// How what is on the screen stands to what is asked now. Whatever shows answers names their lanes: in data-lane those it
// cannot do without, in data-also those it shows where there are any. Here it is marked where answers are missing or of
// something else, and the open view says in a sentence why, and what to do.

import { make, set, write } from "./dom.js";
import { aged, EMPTY_VIEWS, refusal, WAITING } from "./words.js";

export const LATE_MS = 500; // below that an answer is on its way, and a mark would only flicker
const OLDER_MS = 5000; // how often the age of an old answer is told anew

export function createStanding(context) {
  const sentences = new Map();
  let timer = 0;

  /** wanted: what the open view and the rail ask at this moment */
  function draw(model, wanted) {
    const standings = new Map(wanted.map(({ lane }) => [lane, standingOf(context.lanes, lane)]));
    const marks = new Set();
    for (const part of document.querySelectorAll("[data-lane]")) {
      const mark = markOf(part, model.data, standings);
      if (part.dataset.standing !== mark) set(part, "data-standing", mark);
      if (mark && part.closest(".stage") && part.getClientRects().length) marks.add(mark);
    }
    tell(sentenceOf(model.state.view), { model, wanted, standings, marks });
    clearTimeout(timer);
    const waits = [...standings.values()].filter(({ isSettled }) => !isSettled);
    const next = Math.min(...waits.map(({ waited, isLate }) => (isLate ? OLDER_MS : LATE_MS - waited + 1)));
    if (waits.length) timer = setTimeout(context.redraw, next);
  }

  function sentenceOf(view) {
    if (!sentences.has(view)) {
      const [reason, rest] = [make("span", { role: "status" }), make("span", {})];
      const root = make("p", { class: "standing", hidden: true }, reason, " ", rest);
      document.getElementById(`view-${view}`).prepend(root);
      sentences.set(view, { root, reason, rest });
    }
    return sentences.get(view);
  }
  return { draw };
}

/** A lane's standing, and whether that is to be told. An answer about a picture cannot be newer than the verdict, which tells what picture the network saw. */
export function standingOf(lanes, lane) {
  const own = lanes.standing(lane);
  const verdict = lanes.standing("verdict");
  const isOfPicture = lane !== "verdict" && own.want?.request.picture;
  const found = isOfPicture && !verdict.isSettled ? { ...verdict, age: own.age } : own;
  return { ...found, isLate: found.error !== null || found.waited > LATE_MS };
}

function markOf({ dataset: { lane, also = "" } }, data, standings) {
  const needed = lane.split(" ");
  if (!needed.every((name) => data[name])) return "none";
  const isOld = [...needed, ...also.split(" ")].some((name) => standings.get(name)?.isLate);
  return isOld ? "old" : null;
}

function tell({ root, reason, rest }, { model, wanted, standings, marks }) {
  const told = wanted.filter(({ isOptional }) => !isOptional).map(({ lane }) => standings.get(lane));
  const failed = told.find(({ error }) => error);
  const isLate = told.some((standing) => standing.isLate);
  const why = failed
    ? refusal(failed.error)
    : model.isEmpty
      ? EMPTY_VIEWS[model.state.view]
      : isLate
        ? WAITING
        : "";
  write(reason, why);
  write(rest, isLate ? meaning(marks, [...standings.values()]) : "");
  set(root, "class", failed ? "standing problem" : "standing");
  set(root, "hidden", !why);
}

function meaning(marks, standings) {
  const ages = standings.filter(({ isLate, age }) => isLate && age >= 0).map(({ age }) => age);
  const old = `What is grey is an earlier answer, ${aged(Math.max(...ages))}. It is not about what is asked now.`;
  return [marks.has("old") ? old : "", marks.has("none") ? "What is hatched has no answer yet." : ""].join(" ").trim();
}
