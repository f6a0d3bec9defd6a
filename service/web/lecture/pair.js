// Step 5: two opposing edges over one picture, side by side and on one scale.

import { fixed } from "../numbers/scales.js";
import { make, write } from "../shared/dom.js";
import { createGrid } from "../shared/grid.js";
import { frame, heatmap, legend } from "../shared/heatmap.js";
import {
  around,
  cellWords,
  figure,
  flat,
  paintMap,
  paintPicture,
  PAIR_NAMES,
  pairOf,
  pairWant,
  plate,
  SIDE,
} from "./parts.js";
import { SIZE, sourceOf, sources, STRIDE } from "./parts.js";

/** @import { Model } from "../state/types.d.ts" */
/** @import { Create } from "./types.d.ts" */

const CLEAR = 0.2; // of the greatest answer of both

/** @type {Create} */
export const create = (room) => {
  let at = [0, 0];
  /** @type {(row: number, column: number) => void} */
  const move = (row, column) => {
    at = [row, column];
    room.redraw();
  };
  const strip = sources(room);
  const picture = heatmap();
  const window = make("span", { class: "frame" });
  const maps = PAIR_NAMES.map((name) => {
    const grid = createGrid(`map of the edge along ${name}`, { move });
    const weights = heatmap({ class: "heat small" });
    const value = make("p", { class: "formula big" }, "");
    return { name, grid, weights, value };
  });
  const scale = legend();
  const verdict = make("p", { id: "pair-words", "data-lane": "lecture/pair" }, "");
  const root = make(
    "div",
    {},
    strip.root,
    verdict,
    make(
      "div",
      { class: "plates pair", "data-lane": "lecture/pair" },
      plate("The picture", make("div", { class: "framed" }, picture, window)),
      maps.map(({ name, grid, weights, value }) =>
        figure(grid, `Edge along ${name}`, make("div", { class: "row" }, weights, value)),
      ),
    ),
    make("div", { class: "fit" }, scale.root),
  );

  /** @type {(model: Model) => Float32Array[] | null} */
  function both(model) {
    const answer = pairOf(room, sourceOf(room, model));
    return answer && answer.filters.map(({ response }) => flat(response));
  }

  /** @type {(values: Float32Array[]) => { here: number[], isOpposed: boolean }} */
  function judged(values) {
    const here = values.map((each) => each[at[0] * 11 + at[1]]);
    const [, most] = around(...values);
    const isClear = here.every((value) => Math.abs(value) >= CLEAR * most);
    return { here, isOpposed: isClear && here[0] * here[1] < 0 };
  }

  /** @type {(model: Model) => void} */
  function draw(model) {
    strip.draw(model);
    const source = sourceOf(room, model);
    const answer = pairOf(room, source);
    const values = both(model);
    if (!source || !answer || !values) return;
    const { theme } = model;
    const range = around(...values);
    paintPicture(picture, source, theme);
    frame(window, { top: at[0] * STRIDE, left: at[1] * STRIDE, height: SIZE, width: SIZE }, SIDE, SIDE);
    const { here, isOpposed } = judged(values);
    maps.forEach(({ grid, weights, value }, i) => {
      paintMap(grid.canvas, { values: values[i], rows: 11, columns: 11, theme, range });
      grid.mark(11, 11, at, cellWords(here[i]));
      paintMap(weights, { values: flat(answer.filters[i].weights), rows: 7, columns: 7, theme, range: [-1, 1] });
      write(value, `${here[i] > 0 ? "+" : ""}${fixed(here[i])}`);
    });
    write(verdict, wordsOf(values, here, isOpposed));
    scale.draw("diverging", theme, range, "one scale for both maps");
  }

  /** @type {(values: Float32Array[], here: number[], isOpposed: boolean) => string} */
  function wordsOf(values, here, isOpposed) {
    if (values.every((each) => each.every((value) => value === 0)))
      return "Nothing but zeros: paper has no edge, and ones have none either, as the weights add up to 0.";
    if (isOpposed)
      return "Here they oppose: of one and the same patch, one filter says ink above, the other says ink below.";
    return here[0] * here[1] > 0 ? "Here both have the same sign." : "Here one of them hardly answers.";
  }

  return {
    root,
    draw,
    wants: (model) => [pairWant(sourceOf(room, model)) ?? []].flat(),
    isDone: (model) => {
      const values = both(model);
      return values !== null && judged(values).isOpposed;
    },
  };
};
