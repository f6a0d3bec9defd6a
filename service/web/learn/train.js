// "Train it here": the lecture's network of one layer learns in this page, from drawn digits and from one's own.

import { caption, changes, make, set, write } from "../shared/dom.js";
import { heatmap, paint, resize } from "../shared/heatmap.js";
import { colourTable, extent, percent, plainPercent, shownRange } from "../numbers/scales.js";
import { counted } from "../shared/words.js";
import { createCurve } from "./curve.js";
import { AREA, FILTERS, look, SIZE } from "./gradient.js";

/** @import { Model } from "../state/types.d.ts" */
/** @import { Context } from "../shared/types.d.ts" */
/** @import { Told, ToWorker } from "./types.d.ts" */

const LONGEST = 60_000; // ms of training, after which it rests and says what it reached
const AIM = 0.8;
const TILE = 42;
const SAY =
  "20 {filters} of 7 × 7 begin as noise and become strokes, here, in your browser: from 1,000 digits that a program draws, and from those that you add. No network of the service is touched.";

/** @type {(context: Context) => { root: HTMLElement, draw(model: Model): void, wants(): [] }} */
export function createTraining(context) {
  /** @type {Worker | undefined} */
  let worker;
  /** @type {Told | undefined} */
  let told;
  let [isOn, isBusy] = [false, false];
  const own = Array.from({ length: 10 }, () => 0);
  const run = make("button", { class: "main", onclick: () => go(!isOn) }, "Train");
  const anew = make("button", { onclick: begin, disabled: true }, "Begin anew");
  const said = make("p", { id: "training-said", role: "status" }, "");
  const curve = createCurve("pictures looked at", "right, of those kept apart");
  const canvases = Array.from({ length: FILTERS }, () => heatmap());
  for (const canvas of canvases) resize(canvas, TILE, TILE);
  const reads = make("p", { class: "big", id: "training-reads" }, "");
  const digits = own.map((_, digit) =>
    make("button", { onclick: () => add(digit), "aria-label": `Add your digit as a ${digit}` }, String(digit)),
  );
  const added = make("p", { class: "muted", role: "status", id: "training-added" }, "");
  const progressed = make("div", { class: "learning-row", hidden: true });
  const root = make(
    "section",
    { class: "result learning", id: "training" },
    make("h2", {}, "Train it here"),
    caption(SAY),
    make("div", { class: "controls" }, run, anew, said),
    progressed,
  );
  progressed.append(
      curve.root,
      make("figure", {}, make("div", { class: "shelf", id: "training-filters" }, canvases), make("figcaption", { class: "muted" }, "its 20 filters, as they are now")),
      make(
        "div",
        { class: "column" },
        reads,
        make("p", {}, "It has never seen handwriting, so it may misread yours. Tell it what your digit is:"),
        make("div", { class: "row", role: "group", "aria-label": "Add your digit" }, digits),
        added,
      ),
  );
  const [isNew, readsNew] = [changes(), changes()];

  /** @type {(message: ToWorker) => void} */
  function tell(message) {
    if (!worker) {
      worker = new Worker(scriptUrl("./worker.js"), { type: "module" });
      worker.addEventListener("message", ({ data }) => take(data));
    }
    worker.postMessage(message);
  }

  function begin() {
    [isOn, told] = [false, undefined];
    curve.clear();
    isBusy = true;
    tell({ kind: "anew" });
    context.redraw();
  }

  /** @type {(isGoing: boolean) => void} */
  function go(isGoing) {
    if (!told && !isBusy) begin();
    isOn = isGoing;
    next();
    context.redraw();
  }

  /** The next slice, if it is wanted and seen. */
  function next() {
    if (!isOn || isBusy || document.hidden || !root.getClientRects().length) return;
    isBusy = true;
    tell({ kind: "go" });
  }

  /** @type {(now: Told) => void} */
  function take(now) {
    isBusy = false;
    told = now;
    curve.add(now.seen, now.accuracy, now.loss);
    if (now.milliseconds >= LONGEST) isOn = false;
    next();
    context.redraw();
  }

  /** @type {(digit: number) => void} */
  function add(digit) {
    const { input } = context.data;
    if (!input) return;
    own[digit] += 1;
    tell({ kind: "add", digit, image: input.unit });
    context.redraw();
  }

  document.addEventListener("visibilitychange", next);

  /** @type {(model: Model) => void} */
  function draw({ data: { input }, theme }) {
    next();
    if (isNew(told, isOn, theme, own.join())) {
      write(run, isOn ? "Pause" : "Train");
      set(anew, "disabled", !told);
      write(said, told ? progress(told, isOn) : "");
      const count = own.reduce((sum, each) => sum + each, 0);
      write(added, count ? `${count} of yours: ${own.flatMap((n, digit) => (n ? [`${n} × ${digit}`] : [])).join(", ")}. They count from the next step on.` : "");
      set(progressed, "hidden", !told);
      if (told) {
        const range = shownRange("diverging", extent(told.network.filters));
        const table = colourTable("diverging", theme);
        canvases.forEach((canvas, i) => paint(canvas, told?.network.filters ?? [], SIZE, SIZE, table, range, i * AREA));
        curve.draw();
      }
    }
    if (readsNew(told, input)) write(reads, told && input ? reading(told, input.unit) : "");
    for (const each of digits) set(each, "disabled", !input);
  }
  return { root, draw, wants: () => [] };
}

/** @type {(told: Told, image: Float32Array) => string} */
function reading({ network }, image) {
  const { shares } = look(network, image);
  const best = Math.max(...shares);
  return `It reads your digit as ${shares.indexOf(best)}, ${percent(best)}`;
}

/** @type {(told: Told, isOn: boolean) => string} */
function progress({ seen, milliseconds, accuracy, apart }, isOn) {
  const seconds = Math.round(milliseconds / 1000);
  const right = `${plainPercent(accuracy)} of ${counted(apart, "drawing")} kept apart`;
  if (!seen) return `Untrained it reads ${right} right.`;
  const reached = milliseconds >= LONGEST && accuracy < AIM ? " That is what it reaches in a minute." : "";
  return `${counted(seen, "picture")}, ${seconds} s${isOn ? "" : " of training"}: ${right} are read right.${reached}`;
}

/**
 * A script of the page, as a worker takes it: browsers that know trusted types want to be told that it is one.
 * @type {(file: string) => URL}
 */
function scriptUrl(file) {
  const url = new URL(file, import.meta.url);
  // What a policy makes stands for a text, which the checker's types do not know yet.
  const types = /** @type {any} */ (globalThis).trustedTypes;
  policy ??= types?.createPolicy("filterscope-worker", { createScriptURL: String });
  return policy ? policy.createScriptURL(url.href) : url;
}
// The same: made once, since a browser may refuse a second of that name.
/** @type {any} */
let policy;
