// The answer of a filter to the picture: the map, the sum behind one of its cells, and both kinds of pooling beside it.

import { clip, cut, multiply, windowOf } from "../numbers/arithmetic.js";
import { begun, changes, make, number, radios, select, set, show, write } from "../shared/dom.js";
import { createGrid } from "../shared/grid.js";
import { frame, heatmap, legend, multiplication, paint, resize } from "../shared/heatmap.js";
import { colourTable, extent, fixed, shownRange, short } from "../numbers/scales.js";
import { unread } from "../shared/words.js";

/** @import { Span, Theme } from "../numbers/types.d.ts" */
/** @import { Applied, ApplyCall, Data, Entry, Frame, State } from "../state/types.d.ts" */
/** @import { Context } from "../shared/types.d.ts" */
/** @import { ResponseView } from "./types.d.ts" */

const SIDE = 252;
const ACTIVATIONS = ["linear", "relu", "tanh", "sigmoid", "abs"];
const PADDINGS = [
  ["valid", "valid (crop)"],
  ["same", "same (pad)"],
  ["full", "full"],
];
const POOLS = [
  ["0", "none"],
  ["2", "2 × 2"],
  ["3", "3 × 3"],
  ["4", "4 × 4"],
];
/** @type {[string, string][]} */
const FLIPS = [
  ["", "as written"],
  ["1", "flipped"],
];

/** @type {(context: Context) => { root: HTMLElement, draw(model: Frame): void }} */
export function createResponse(context) {
  /** @type {ResponseView} */
  const view = begun({ context, at: null, isNew: changes() });
  view.change = (patch) => context.set({ response: { ...context.store.get().response, ...patch } });
  view.root = make("div", { class: "result" }, buildControls(view), ...buildPictures(view));
  return { root: view.root, draw: (model) => draw(view, model) };
}

/** @type {(view: ResponseView) => HTMLElement} */
function buildControls(view) {
  view.stride = number("Stride", { min: 1, max: 14, value: 1 }, (stride) => view.change({ stride }));
  view.padding = select("Padding", PADDINGS, (padding) => view.change({ padding }));
  view.activation = select("Activation", ACTIVATIONS, (activation) => view.change({ activation }));
  view.pool = select("Pooling", POOLS, (pool) => view.change({ pool: Number(pool) }));
  view.flip = radios("Laid on", "flip", FLIPS, (flip) => view.change({ flip: flip === "1" }));
  const fields = [view.stride.field, view.padding.field, view.activation.field, view.pool.field, view.flip.field];
  return make("div", { class: "controls" }, fields);
}

/** @type {(view: ResponseView) => HTMLElement[]} */
function buildPictures(view) {
  view.picture = heatmap();
  view.frame = make("span", { class: "frame" });
  view.grid = createGrid("response", {
    move: (row, column) => {
      view.at = [row, column];
      view.context.redraw();
    },
  });
  view.legend = legend();
  view.words = make("p", { class: "muted" });
  view.sum = make("div", { class: "sum", "data-lane": "response" });
  view.pools = make("div", { class: "columns", "data-lane": "pool-max pool-avg" });
  resize(view.picture, SIDE, SIDE);
  const under = make("figcaption", { class: "muted" }, "your digit, as the network sees it");
  const picture = make(
    "figure",
    { class: "result", "data-lane": "verdict" },
    make("div", { class: "framed" }, view.picture, view.frame),
    under,
  );
  const map = make(
    "figure",
    { class: "result", "data-lane": "response" },
    view.grid.root,
    view.legend.root,
    view.words,
  );
  return [make("div", { class: "columns" }, picture, map, view.pools), view.sum];
}

/** @type {(view: ResponseView, state: State) => void} */
function drawControls(view, { response }) {
  show(view.stride, response.stride);
  view.padding.box.value = response.padding;
  view.activation.box.value = response.activation;
  view.pool.box.value = String(response.pool);
  view.flip.choose(response.flip ? "1" : "");
}

/** @type {(view: ResponseView, model: Frame) => void} */
function draw(view, { state, data, theme }) {
  drawControls(view, state);
  const entry = data.response;
  set(view.frame, "hidden", !entry);
  if (data.input) paint(view.picture, data.input.levels, 28, 28, colourTable("pencil", theme), [0, 255]);
  const result = entry?.answer.results[0];
  if (
    !entry ||
    !result ||
    !view.isNew(entry, data["pool-max"], data["pool-avg"], theme, view.at, state.response.pool, data.input)
  )
    return;
  const {
    response,
    shape: [rows, columns],
  } = result.filters[0];
  const values = response.flat();
  const range = shownRange("diverging", extent(values));
  paint(view.grid.canvas, values, rows, columns, colourTable("diverging", theme), range);
  const cell = Math.max(1, Math.floor(SIDE / Math.max(rows, columns)));
  resize(view.grid.canvas, columns * cell, rows * cell);
  view.legend.draw("diverging", theme, range, "this answer");
  const [row, column] = view.at || strongest(values, columns);
  /** @type {[row: number, column: number]} */
  const at = [Math.min(row, rows - 1), Math.min(column, columns - 1)];
  view.grid.mark(rows, columns, at, short(response[at[0]][at[1]]));
  const { patches, unread: edge } = result.geometry;
  write(view.words, `${patches[0]} × ${patches[1]} = ${patches[0] * patches[1]} places; ${unread(edge)}`);
  drawSum(view, at, result, entry, theme);
  drawPools(view, state, data, theme, range);
}

/**
 * The cell until one is pointed at: the one that answers most, either way.
 * @type {(values: number[], columns: number) => [row: number, column: number]}
 */
function strongest(values, columns) {
  const best = values.reduce((most, value, i) => (Math.abs(value) > Math.abs(values[most]) ? i : most), 0);
  return [Math.floor(best / columns), best % columns];
}

/**
 * The sum behind the cell pointed at.
 * @type {(view: ResponseView, at: [row: number, column: number], result: Applied, entry: Entry<unknown, ApplyCall>,
 *   theme: Theme) => void}
 */
function drawSum(view, [row, column], { filters: [filter], geometry }, { want: { request } }, theme) {
  const [rows, columns] = geometry.kernel;
  const box = windowOf(geometry, row, column);
  frame(view.frame, clip(box), 28, 28);
  const { patch, padding } = cut(request.picture.unit, { rows: 28, columns: 28 }, box);
  const weights = Float32Array.from(filter.weights.flat());
  const { products, sum } = multiply(patch, weights);
  const { bias } = request.json.filters[0];
  const cell = Math.max(8, Math.min(22, Math.floor(150 / Math.max(rows, columns))));
  const { activation } = request.json;
  const withBias = bias ? ` + bias ${fixed(bias, 3)}` : "";
  const activated = activation === "linear" ? "" : `, ${activation}`;
  const formula = `sum ${fixed(sum, 3)}${withBias}${activated} = ${fixed(filter.response[row][column], 3)}`;
  view.sum.replaceChildren(
    ...multiplication({ patch, padding, weights, products }, { rows, columns, cell, theme }),
    make("p", { class: "formula", id: "response-sum" }, formula),
  );
}

/** @type {(view: ResponseView, state: State, data: Data, theme: Theme, range: Span) => void} */
function drawPools(view, { response }, data, theme, range) {
  view.pools.replaceChildren();
  if (!response.pool) return;
  for (const [entry, name] of /** @type {const} */ ([
    [data["pool-max"], "largest"],
    [data["pool-avg"], "mean"],
  ])) {
    if (!entry?.want.request.json.pool) continue;
    const [result] = entry.answer.results[0].filters;
    const { size } = entry.want.request.json.pool;
    const [rows, columns] = result.shape;
    const canvas = heatmap();
    paint(canvas, result.response.flat(), rows, columns, colourTable("diverging", theme), range);
    const cell = Math.max(1, Math.floor(150 / Math.max(rows, columns)));
    resize(canvas, columns * cell, rows * cell);
    view.pools.append(
      make(
        "figure",
        { class: "result" },
        canvas,
        make("figcaption", { class: "muted" }, `${name} of ${size} × ${size}: ${rows} × ${columns}`),
      ),
    );
  }
}
