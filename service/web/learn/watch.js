// "Watch it learn": the lecture's network as it was at each kept step of its training, on the digit at hand.

import { networkCall, want } from "../state/api.js";
import { changes, make, set, write } from "../shared/dom.js";
import { heatmap, paint, resize } from "../shared/heatmap.js";
import { mapOf } from "../numbers/arithmetic.js";
import { colourTable, extent, percent, plainPercent, shownRange, short } from "../numbers/scales.js";
import { counted } from "../shared/words.js";
import { createCurve } from "./curve.js";

/** @import { Entry, Model, Results, Verdict, Want, Arrays } from "../state/types.d.ts" */
/** @import { Context } from "../shared/types.d.ts" */
/** @import { History } from "./types.d.ts" */

const NETWORK = "lecture";
const LAYER = "conv1";
const TILE = 42;
const PLAY_MS = 450;
const SAY =
  "The lecture’s network, from its first random weights to the last. Drag the slider, or play: its filters turn from noise to strokes, and your digit changes its verdict.";
const NOT_KEPT = "This service has not kept the training of the lecture’s network. Below you can train one yourself.";
const HISTORY = want("learn/history", { path: `/v1/models/${NETWORK}/history` }, { isOptional: true });

/** @type {(context: Context) => { root: HTMLElement, draw(model: Model): void, wants(model: Model): Want[] }} */
export function createWatch(context) {
  const { data, lanes, store } = context;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const slider = make("input", { type: "range", min: 0, max: 1, value: 0, id: "moment", "aria-label": "Step of the training" });
  slider.addEventListener("input", () => {
    halt();
    context.set({ moment: slider.valueAsNumber });
  });
  const play = make("button", { class: "main", onclick: () => (timer ? halt() : go()) }, "Play");
  const said = make("p", { id: "watch-said" }, "");
  const trail = make("ol", { class: "trail", "aria-label": "What it read at each step that you have seen" });
  const curve = createCurve("steps of training, ever longer", "right, of digits kept apart");
  const shelves = ["its filters", "your digit’s maps"].map((words) => ({ canvases: /** @type {HTMLCanvasElement[]} */ ([]), shelf: make("div", { class: "shelf" }), words }));
  const reads = make("p", { class: "big", id: "watch-reads" }, "");
  const fills = Array.from({ length: 10 }, () => make("span", { class: "fill" }));
  const shares = fills.map(() => make("span", { class: "share" }, ""));
  const rows = fills.map((fill, digit) =>
    make("li", {}, make("span", {}, String(digit)), make("span", { class: "track", "aria-hidden": "true" }, fill), shares[digit]),
  );
  const [filterFigure, mapFigure] = shelves.map(({ shelf, words }, i) =>
    make("figure", { "data-lane": i ? "learn/maps" : "learn/filters" }, shelf, make("figcaption", { class: "muted" }, words)),
  );
  const body = make(
    "div",
    { class: "result wide" },
    make("div", { class: "controls" }, play, make("div", { class: "grow" }, slider), said),
    trail,
    make(
      "div",
      { class: "learning-row" },
      curve.root,
      filterFigure,
      mapFigure,
      make("div", { class: "column", "data-lane": "learn/verdict" }, reads, make("ol", { class: "bars" }, rows)),
    ),
  );
  const missing = make("p", { class: "muted", hidden: true }, NOT_KEPT);
  const root = make("section", { class: "result learning" }, make("h2", {}, "Watch it learn"), make("p", { class: "caption" }, SAY), missing, body);
  const [historyIsNew, momentIsNew, filtersAreNew, mapsAreNew, verdictIsNew] = Array.from({ length: 5 }, () => changes());
  /** @type {Map<number, Verdict>} */
  let seen = new Map(); // of the picture at hand, by step
  const pictureIsNew = changes();

  const steps = () => /** @type {Entry<History> | null | undefined} */ (data["learn/history"])?.answer.steps ?? [];
  const moment = () => Math.min(store.get().moment, steps().length - 1);

  function halt() {
    clearTimeout(timer);
    timer = undefined;
    write(play, "Play");
  }

  function go() {
    if (moment() === steps().length - 1) context.set({ moment: 0 });
    write(play, "Pause");
    timer = setTimeout(next, PLAY_MS);
  }

  /** The next step, when the answers about this one are there; none where nobody sees it. */
  function next() {
    if (!root.getClientRects().length || moment() >= steps().length - 1) return halt();
    if (lanes.standing("learn/filters").isSettled && lanes.standing("learn/verdict").isSettled)
      context.set({ moment: moment() + 1 });
    timer = setTimeout(next, PLAY_MS);
  }

  /** @type {(model: Model) => Want[]} */
  function wants({ data: { input } }) {
    if (!steps().length) return [HISTORY];
    const step = moment();
    const network = { name: NETWORK, version: "" };
    /** @type {(path: string, options: Record<string, unknown>) => ReturnType<typeof networkCall>} */
    const call = (path, options) =>
      networkCall(path, network, /** @type {import("../state/types.d.ts").Input} */ (input), { ...options, step, version: undefined });
    const filters = want("learn/filters", { path: `/v1/models/${NETWORK}/layers/${LAYER}/filters`, query: { step, format: "npz" } });
    if (!input) return [HISTORY, filters];
    return [
      HISTORY,
      filters,
      want("learn/verdict", call("/v1/classify", {})),
      want("learn/maps", call("/v1/feature-maps", { format: "npz", layers: `${LAYER}.act` })),
    ];
  }

  /** @type {(index: number, count: number) => HTMLCanvasElement[]} */
  function tiles(index, count) {
    const each = shelves[index];
    if (each.canvases.length !== count) {
      each.canvases = Array.from({ length: count }, () => heatmap());
      for (const canvas of each.canvases) resize(canvas, TILE, TILE);
      each.shelf.replaceChildren(...each.canvases);
    }
    return each.canvases;
  }

  /** @type {(model: Model) => void} */
  function draw({ data: { input }, theme }) {
    const all = steps();
    set(missing, "hidden", lanes.standing("learn/history").error?.status !== 404);
    set(body, "hidden", !all.length);
    if (!all.length) return;
    const step = moment();
    if (historyIsNew(all)) {
      curve.clear();
      for (const each of all) curve.add(each.step, each.accuracy, each.loss);
      set(slider, "max", all.length - 1);
      trail.replaceChildren(...all.map(() => make("li", {}, "·")));
    }
    if (pictureIsNew(input)) seen = new Map();
    if (momentIsNew(step, all)) {
      const { images, accuracy, loss } = all[step];
      set(slider, "value", step);
      const words = `Step ${step} of ${all.length - 1}: ${counted(images, "picture")} seen, ${plainPercent(accuracy)} right, loss ${short(loss)}.`;
      write(said, words);
      set(slider, "aria-valuetext", words);
      curve.draw(step);
    }
    const filters = /** @type {Entry<Arrays> | null | undefined} */ (data["learn/filters"]);
    if (filters && filtersAreNew(filters, theme)) paintAll(0, filters.answer[`${LAYER}.weight`], theme);
    const maps = /** @type {Entry<Arrays> | null | undefined} */ (data["learn/maps"]);
    if (maps && mapsAreNew(maps, theme)) paintAll(1, maps.answer[`${LAYER}.act`], theme);
    const verdict = /** @type {Entry<Results<Verdict>> | null | undefined} */ (data["learn/verdict"]);
    if (verdictIsNew(verdict, input, step)) drawVerdict(verdict, input, step);
  }

  /**
   * The last two axes of an array are a picture each.
   * @type {(index: number, tensor: import("../numbers/types.d.ts").Tensor, theme: import("../numbers/types.d.ts").Theme) => void}
   */
  function paintAll(index, { shape, data: values }, theme) {
    const flat = { shape: [shape.slice(0, -2).reduce((a, b) => a * b, 1), ...shape.slice(-2)], data: values };
    const range = shownRange("diverging", extent(values));
    tiles(index, flat.shape[0]).forEach((canvas, i) => {
      const { rows: high, columns, start } = mapOf(flat, i);
      paint(canvas, values, high, columns, colourTable("diverging", theme), range, start);
    });
  }

  /** @type {(entry: Entry<Results<Verdict>> | null | undefined, input: unknown, step: number) => void} */
  function drawVerdict(entry, input, step) {
    const of = entry?.want.request;
    const verdict = entry?.answer.results[0];
    if (of?.picture === input && verdict) seen.set(Number(of?.query?.step), verdict);
    write(reads, verdict ? `It reads your digit as ${verdict.digit}, ${percent(verdict.probabilities[verdict.digit])}` : "");
    rows.forEach((row, digit) => {
      const share = verdict?.probabilities[digit] ?? 0;
      fills[digit].style.width = `${share * 100}%`;
      write(shares[digit], verdict ? percent(share) : "");
      set(row, "class", verdict?.digit === digit ? "best" : null);
    });
    [...trail.children].forEach((each, i) => {
      const known = seen.get(i);
      write(each, known ? String(known.digit) : "·");
      set(each, "class", i === step ? "here" : null);
    });
  }
  return { root, draw, wants };
}
