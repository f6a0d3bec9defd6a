// Step 6: a filter of one's own, painted; its answers to the digit and to two test edges.

import { short } from "../numbers/scales.js";
import { changes, link, make, radios, write } from "../shared/dom.js";
import { createGrid } from "../shared/grid.js";
import { cellAt, heatmap, legend } from "../shared/heatmap.js";
import { numberOf, weightsOf } from "../state/state.js";
import {
  answerOf,
  applyWant,
  around,
  bar,
  cellWords,
  figure,
  flat,
  inputOf,
  paintMap,
  paintPicture,
  SIDE,
} from "./parts.js";
import { sourceOf, sources } from "./parts.js";

/** @import { Kernel, Model } from "../state/types.d.ts" */
/** @import { Answer, Create } from "./types.d.ts" */

const TIMES = 2; // as strongly
const upright = inputOf("upright edge", () =>
  Uint8Array.from({ length: SIDE * SIDE }, (_, i) => (i % SIDE < 14 ? 0 : 255)),
);
const level = inputOf("level edge", () =>
  Uint8Array.from({ length: SIDE * SIDE }, (_, i) => (i < SIDE * 14 ? 0 : 255)),
);

/** @type {Create} */
export const create = (room) => {
  const { context } = room;
  let [brush, at] = ["1", [3, 3]];
  let isDown = false;
  const isNew = changes();
  const strip = sources(room);
  const editor = createGrid("your filter", {
    move: (row, column) => {
      const from = at;
      at = [row, column];
      if (isDown) paintLine(from, at);
      room.redraw();
    },
    pin: (row, column) => paintCell(row, column),
  });
  editor.root.classList.add("editor");
  editor.canvas.addEventListener("pointerdown", (event) => {
    isDown = true;
    paintCell(...cellAt(editor.canvas, event, editor.rows, editor.columns));
  });
  for (const end of ["pointerup", "pointercancel"])
    addEventListener(end, () => {
      isDown = false;
    });
  /** @type {[string, string][]} */
  const colours = [
    ["1", "+1 blue"],
    ["-1", "\u22121 orange"],
    ["0", "0 nothing"],
  ];
  const brushes = radios("paint with", "lecture-brush", colours, (value) => {
    brush = value;
    room.redraw();
  });
  const map = heatmap();
  const scale = legend();
  const edges = [upright, level].map(() => heatmap({ class: "heat small" }));
  const gauges = [bar("upright edge"), bar("level edge")];
  const verdict = make("p", { id: "own-words" }, "");
  const all = (/** @type {string} */ text) => () => write0(() => text);
  const root = make(
    "div",
    {},
    strip.root,
    make(
      "div",
      { class: "plates" },
      figure(
        editor,
        "Your filter: press or drag to paint",
        brushes.field,
        make(
          "p",
          {},
          link("all 0", all("0")),
          ", ",
          link("all +1", all("1")),
          ", ",
          link("turn it by a quarter", turn),
        ),
      ),
      make("figure", { "data-lane": "lecture/own" }, make("figcaption", {}, "Its map"), map, scale.root),
      make(
        "div",
        { class: "column", "data-lane": "lecture/upright lecture/level" },
        make("h3", {}, "Its strongest answer to"),
        gauges.map(({ root: gauge }, i) => make("div", { class: "row even" }, edges[i], gauge)),
        verdict,
      ),
    ),
  );
  editor.mark(7, 7, at, "");

  const kernel = () => context.store.get().kernel;

  /**
   * Write every weight anew.
   * @type {(weight: (row: number, column: number, old: Kernel) => string) => void}
   */
  function write0(weight) {
    const old = kernel();
    const cells = old.cells.map((_, i) => weight(Math.floor(i / old.columns), i % old.columns, old));
    context.set({ kernel: { ...old, cells } });
  }

  /** @type {(row: number, column: number) => void} */
  function paintCell(row, column) {
    at = [row, column];
    paintLine(at, at);
  }

  /**
   * Paint from one cell to another: a fast pointer tells of fewer cells than it crosses.
   * @type {(from: number[], to: number[]) => void}
   */
  function paintLine(from, to) {
    const steps = Math.max(...to.map((end, axis) => Math.abs(end - from[axis])), 1);
    const crossed = Array.from({ length: steps + 1 }, (_, i) =>
      String(from.map((start, axis) => Math.round(start + ((to[axis] - start) * i) / steps))),
    );
    write0((y, x, { cells, columns }) => (crossed.includes(`${y},${x}`) ? brush : cells[y * columns + x]));
  }

  function turn() {
    const { rows, columns } = kernel();
    if (rows === columns) write0((y, x, { cells }) => cells[(rows - 1 - x) * columns + y]);
  }

  const asked = () => {
    const filters = [{ weights: weightsOf(kernel()), bias: 0 }];
    /** @type {(lane: `lecture/${string}`, picture: import("../state/types.d.ts").Input | null) => ReturnType<typeof applyWant> | null} */
    const over = (lane, picture) => picture && applyWant(lane, picture, { filters });
    return { over, edges: [over("lecture/upright", upright), over("lecture/level", level)] };
  };

  /** The greatest size of an answer to each test edge; null while they are on their way. */
  function strengths() {
    const wants = asked().edges;
    const lanes = /** @type {const} */ (["lecture/upright", "lecture/level"]);
    const found = lanes.map((lane, i) => /** @type {Answer | null} */ (answerOf(room, lane, wants[i])));
    if (!found[0] || !found[1]) return null;
    return found.map((answer) => Math.max(...flat(answer?.filters[0].response ?? []).map(Math.abs)));
  }

  /** @type {(model: Model) => void} */
  function draw(model) {
    strip.draw(model);
    const { theme } = model;
    brushes.choose(brush);
    const { rows, columns, cells } = kernel();
    const weights = Float32Array.from(cells, numberOf);
    const source = sourceOf(room, model);
    /** @type {Answer | null} */
    const answer = answerOf(room, "lecture/own", asked().over("lecture/own", source));
    const found = strengths();
    if (!isNew(cells, String(at), theme, source, answer, String(found))) return;
    const [, most] = around(weights);
    paintMap(editor.canvas, { values: weights, rows, columns, theme, range: [-most, most] });
    editor.mark(rows, columns, at, cellWords(weights[at[0] * columns + at[1]]));
    [upright, level].forEach((input, i) => paintPicture(edges[i], input, theme));
    if (answer) {
      const { response } = answer.filters[0];
      const values = flat(response);
      paintMap(map, { values, rows: response.length, columns: response[0].length, theme, range: around(values) });
      scale.draw("diverging", theme, around(values), "blue +, orange −");
    }
    if (!found) return;
    const greatest = Math.max(...found) || 1;
    found.forEach((value, i) => gauges[i].draw(value / greatest, short(value)));
    write(verdict, wordsOf(found));
  }

  return {
    root,
    draw,
    wants: (model) => {
      const { over, edges: tests } = asked();
      return [over("lecture/own", sourceOf(room, model)) ?? [], ...tests.map((each) => each ?? [])].flat();
    },
    isDone: () => isUpright(strengths()),
  };
};

/** @type {(found: number[] | null) => boolean} */
function isUpright(found) {
  return found !== null && found[0] > 0.01 && found[0] >= TIMES * found[1];
}

/** @type {(found: number[]) => string} */
function wordsOf([up, flatter]) {
  if (up < 0.01 && flatter < 0.01) return "It answers neither.";
  if (isUpright([up, flatter])) return "It sees upright edges.";
  if (flatter >= TIMES * up) return "It sees level edges. An upright one has paper on its left and ink on its right.";
  return "It answers both alike. An upright edge has paper on its left and ink on its right: what must left and right weigh?";
}
