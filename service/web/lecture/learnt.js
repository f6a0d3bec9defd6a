// Step 8: filters that were made beside filters that were learnt, and why a shared filter needs few weights.

import { changes, make, number, write } from "../shared/dom.js";
import { heatmap } from "../shared/heatmap.js";
import { want } from "../state/api.js";
import { MADE, SCORES } from "./figures.js";
import { applyWant, around, bar, flat, inputOf, paintMap } from "./parts.js";

/** @import { Theme } from "../numbers/types.d.ts" */
/** @import { Arrays, Entry, Model, Network, Want } from "../state/types.d.ts" */
/** @import { Answer, Create } from "./types.d.ts" */

const FILTERS = 20;
const ASKED = 2230;
const LEARNT = want(
  "lecture/learnt",
  {
    path: "/v1/models/lecture/layers/conv1/filters",
    query: { format: "npz" },
  },
  { isOptional: true },
);
const DESCRIBED = want("lecture/described", { path: "/v1/models/lecture" }, { isOptional: true });
const paper = inputOf("paper", () => new Uint8Array(784));
const WEIGHTS = applyWant("lecture/made", paper, { filters: MADE });

/** @type {(value: number) => string} */
const grouped = (value) => value.toLocaleString("en");

/**
 * The weights that the ten digits need when each filter gives one number, and what the maps hold.
 * @type {(size: number, stride: number) => { weights: number, places: number, numbers: number }}
 */
export function counts(size, stride) {
  const weights = FILTERS * size * size + FILTERS + FILTERS * 10 + 10;
  const places = Math.floor((28 - size) / stride) + 1;
  return { weights, places, numbers: FILTERS * places * places };
}

/** @type {Create} */
export const create = (room) => {
  const { data } = room.context;
  let [size, stride] = [7, 2];
  const isNew = changes();
  const [made, learnt] = [0, 1].map(() => Array.from({ length: FILTERS }, () => heatmap({ class: "heat" })));
  const results = [bar("20 filters made by hand"), bar("20 filters learnt"), bar("no filter: the 784 numbers")];
  const own = make("p", { class: "muted" }, "");
  const sizeBox = number("size of a filter", { min: 1, max: 28, value: size }, (value) => {
    size = value;
    room.redraw();
  });
  const strideBox = number("stride", { min: 1, max: 28, value: stride }, (value) => {
    stride = value;
    room.redraw();
  });
  const shared = make("p", { class: "formula", id: "shared-count" }, "");
  const maps = make("p", { class: "formula", id: "map-count" }, "");
  const whose = make("p", {}, "");
  const lecture = make("p", { class: "muted" }, "");
  /** @type {(caption: string, canvases: HTMLElement[], lane: string) => HTMLElement} */
  const shelf = (caption, canvases, lane) =>
    make("figure", { "data-lane": lane }, make("figcaption", {}, caption), make("div", { class: "shelf" }, canvases));
  const root = make(
    "div",
    { class: "plates halves" },
    make(
      "div",
      { class: "column" },
      shelf("Made by hand", made, "lecture/made"),
      shelf("Learnt: the lecture’s network", learnt, "lecture/learnt"),
      make("h3", {}, "Which tells more digits apart?"),
      results.map(({ root: each }) => each),
      own,
    ),
    make(
      "div",
      { class: "column" },
      make("h3", {}, "Why filters? Count the weights"),
      make("p", {}, "Every pixel to 20 units, and those to the ten digits:"),
      make("p", { class: "formula" }, `784 × 20 + 20 + 20 × 10 + 10 = ${grouped(784 * 20 + 20 + 20 * 10 + 10)}`),
      make("p", {}, "20 filters, the same at every place, one number of each to the ten digits:"),
      make("div", { class: "controls" }, sizeBox.field, strideBox.field),
      shared,
      maps,
      whose,
      lecture,
    ),
  );

  /** @type {(model: Model) => void} */
  function draw({ theme }) {
    const [weights, filters, described] = [data["lecture/made"], data["lecture/learnt"], data["lecture/described"]];
    if (!isNew(weights, filters, described, theme, size, stride)) return;
    if (weights) drawMade(made, /** @type {{ results: Answer[] }} */ (weights.answer).results[0], theme);
    if (filters) drawLearnt(learnt, /** @type {Arrays} */ (filters.answer), theme);
    [SCORES.made, SCORES.learnt, SCORES.pixels].forEach(({ test }, i) =>
      results[i].draw(test, `${(test * 100).toFixed(2)} %`),
    );
    drawCounts();
    drawOwn(
      /** @type {Entry<Network & { passport?: { accuracy?: { test?: number } } }> | null | undefined} */ (described),
    );
  }

  function drawCounts() {
    const { weights, places, numbers } = counts(size, stride);
    write(shared, `20 × ${size} × ${size} + 20 + 20 × 10 + 10 = ${grouped(weights)} weights`);
    write(maps, `20 maps of ${places} × ${places} = ${grouped(numbers)} numbers, from the same weights`);
    const isTen = size === 10 && stride === 1;
    write(
      whose,
      isTen
        ? "These are the 2,230 weights and the 7,220 numbers that are often quoted: of filters of 10 × 10 at stride 1, not of 7 × 7 at stride 2."
        : weights === ASKED
          ? "These are the 2,230. With stride 1 the maps hold the 7,220 numbers that are often quoted beside them."
          : "2,230 weights and 7,220 numbers are often quoted. They belong to another size and stride.",
    );
  }

  /** @type {(entry: Entry<Network & { passport?: { accuracy?: { test?: number } } }> | null | undefined) => void} */
  function drawOwn(entry) {
    write(
      own,
      "Share of 10,000 test digits, with the same pooling; only the weights from there to the ten digits are fitted (ridge regression).",
    );
    if (!entry) return;
    const total = entry.answer.layers.reduce((sum, { parameters }) => sum + parameters, 0);
    const test = entry.answer.passport?.accuracy?.test;
    const trained = test ? ` Filters and the rest trained together tell ${(test * 100).toFixed(2)} % apart.` : "";
    write(
      lecture,
      `The lecture’s network keeps 5 × 5 numbers of each filter: 20 × 7 × 7 + 20 + 500 × 10 + 10 = ${grouped(20 * 49 + 20 + 5010)}; the service counts ${grouped(total)}.${trained}`,
    );
  }

  return {
    root,
    draw,
    wants: () => [WEIGHTS, LEARNT, DESCRIBED].map(asWant),
    isDone: () => counts(size, stride).weights === ASKED,
  };
};

/** @type {(asked: Want) => Want} */
const asWant = (asked) => asked;

/** @type {(canvases: HTMLCanvasElement[], answer: Answer, theme: Theme) => void} */
function drawMade(canvases, { filters }, theme) {
  filters.forEach(({ weights }, i) => {
    const values = flat(weights);
    paintMap(canvases[i], { values, rows: weights.length, columns: weights[0].length, theme, range: around(values) });
  });
}

/** @type {(canvases: HTMLCanvasElement[], arrays: Arrays, theme: Theme) => void} */
function drawLearnt(canvases, arrays, theme) {
  const { shape, data } = arrays["conv1.weight"];
  const [rows, columns] = shape.slice(-2);
  canvases.forEach((canvas, i) => {
    const values = data.slice(i * rows * columns, (i + 1) * rows * columns);
    paintMap(canvas, { values, rows, columns, theme, range: around(values) });
  });
}
