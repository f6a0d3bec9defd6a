// Step 3: one patch, multiplied with one filter and summed.

import { cut, multiply } from "../numbers/arithmetic.js";
import { fixed, plainPercent, short } from "../numbers/scales.js";
import { changes, make, write } from "../shared/dom.js";
import { multiplication } from "../shared/heatmap.js";
import { bar, figure, flat, paintPicture, pairOf, pairWant, picker, place, SIDE, SIZE, STRIDE } from "./parts.js";

/** @import { Model } from "../state/types.d.ts" */
/** @import { Create } from "./types.d.ts" */

/** @type {Create} */
export const create = (room) => {
  let at = [5, 5];
  const isNew = changes();
  /** @type {(row: number, column: number) => void} */
  const move = (row, column) => {
    at = [row, column];
    room.redraw();
  };
  const picked = picker("the place of the patch, of 11 by 11", { move });
  const work = make("div", { class: "sum" });
  const rows = make("p", { class: "muted formula" }, "");
  const total = make("p", { class: "formula big", id: "lecture-sum" }, "");
  const near = bar("share of the greatest sum");
  const root = make(
    "div",
    { class: "plates wide-left", "data-lane": "lecture/pair" },
    figure(picked.grid, "Move the frame: point, tap, or use the arrow keys"),
    make("div", { class: "column" }, work, rows, total, near.root),
  );

  /** @type {(model: Model) => { values: Float32Array, weights: Float32Array, columns: number } | null} */
  function sums({ data }) {
    const answer = pairOf(room, data.input);
    if (!answer) return null;
    const [{ response, weights }] = answer.filters;
    return { values: flat(response), weights: flat(weights), columns: response[0].length };
  }

  /** @type {(model: Model) => void} */
  function draw(model) {
    const found = sums(model);
    const { input: base } = model.data;
    if (!found || !base || !isNew(base, String(at), model.theme, found.values[0], innerWidth, model.state.big)) return;
    const { values, weights, columns } = found;
    const served = values[at[0] * columns + at[1]];
    paintPicture(picked.grid.canvas, base, model.theme);
    place(picked, [values.length / columns, columns], at, short(served));
    const box = { top: at[0] * STRIDE, left: at[1] * STRIDE, height: SIZE, width: SIZE };
    const { patch } = cut(base.unit, { rows: SIDE, columns: SIDE }, box);
    const { products, sum } = multiply(patch, weights);
    const cell = model.state.big ? 44 : innerWidth < 600 ? 23 : 30;
    const layout = { rows: SIZE, columns: SIZE, cell, theme: model.theme };
    work.replaceChildren(...multiplication({ patch, weights, products }, layout));
    write(
      rows,
      `row by row: ${runningOf(products)
        .map((value) => fixed(value))
        .join(" → ")}`,
    );
    const isSame = Math.abs(sum - served) < 1e-4;
    write(
      total,
      `sum ${fixed(sum)}${isSame ? " \u2713 the service has the same" : `, the service has ${fixed(served)}`}`,
    );
    const share = served / Math.max(...values);
    near.draw(share, served > 0 ? plainPercent(share) : "0 %");
  }

  return {
    root,
    draw,
    wants: ({ data }) => [pairWant(data.input) ?? []].flat(),
    isDone: (model) => {
      const found = sums(model);
      if (!found) return false;
      const most = Math.max(...found.values);
      return most > 0 && found.values[at[0] * found.columns + at[1]] === most;
    },
  };
};

/**
 * The sum after each row of products.
 * @type {(products: Float32Array) => number[]}
 */
function runningOf(products) {
  let sum = 0;
  return Array.from({ length: SIZE }, (_, row) => {
    for (let i = 0; i < SIZE; i += 1) sum += products[row * SIZE + i];
    return sum;
  });
}
