// Step 1: the picture as numbers, which can be changed one by one.

import { short } from "../numbers/scales.js";
import { link, make, set, write } from "../shared/dom.js";
import { createGrid } from "../shared/grid.js";
import { frame, numbers } from "../shared/heatmap.js";
import { cut } from "../numbers/arithmetic.js";
import { figure, paintPicture, SIDE } from "./parts.js";

/** @import { Chosen, Model } from "../state/types.d.ts" */
/** @import { Create } from "./types.d.ts" */

const LOUPE = 7;
const PAPER = 26; // levels of 255
const INK = 229;

/** @type {Create} */
export const create = (room) => {
  const { context } = room;
  let at = [9, 12];
  /** @type {{ picture: Chosen, from: Uint8Array, levels: Uint8Array, original: Chosen, isExample: boolean } | null} */
  let edit = null; // what was changed here, and of what

  const grid = createGrid("28 by 28 numbers", {
    move: (row, column) => {
      at = [row, column];
      room.redraw();
    },
    pin: (row, column) => flip(row, column),
  });
  const loupeFrame = make("span", { class: "frame" });
  grid.root.append(loupeFrame);
  const loupe = make("div", { class: "loupe" });
  const words = make("p", { class: "formula" }, "");
  const back = make("p", { hidden: true }, link("Back to the digit as it was drawn", restore));
  const root = make(
    "div",
    { class: "plates large", "data-lane": "verdict" },
    figure(grid, "What the network sees: press a square to change it"),
    make("div", { class: "column" }, make("h3", {}, "The numbers around the pointer"), loupe, words, back),
  );

  /** @type {(row: number, column: number) => void} */
  function flip(row, column) {
    at = [row, column];
    const { input: base } = context.data;
    if (!base) return;
    const { picture: now, example } = context.store.get();
    const levels = base.levels.slice();
    const i = row * SIDE + column;
    levels[i] = levels[i] < 128 ? 255 : 0;
    /** @type {Chosen} */
    const picture = { kind: "levels", levels, width: SIDE, height: SIDE, channels: 1, isInk: true };
    const isOn = edit && edit.picture === now;
    edit =
      isOn && edit
        ? { ...edit, picture, levels }
        : { picture, levels, from: base.levels, original: now, isExample: Boolean(example) };
    context.set({ picture, shift: [0, 0] });
  }

  function restore() {
    if (!edit) return;
    const { original, isExample } = edit;
    context.show(original);
    context.set({ example: isExample });
  }

  /** @type {(model: Model) => void} */
  function draw({ state, data, theme }) {
    set(back, "hidden", edit?.picture !== state.picture);
    if (!data.input) {
      loupe.replaceChildren();
      write(words, "");
      return;
    }
    const { unit } = data.input;
    paintPicture(grid.canvas, data.input, theme);
    const value = unit[at[0] * SIDE + at[1]];
    grid.mark(SIDE, SIDE, at, short(value));
    const [top, left] = at.map((place) => Math.min(Math.max(place - 3, 0), SIDE - LOUPE));
    const box = { top, left, height: LOUPE, width: LOUPE };
    frame(loupeFrame, box, SIDE, SIDE);
    const { patch } = cut(unit, { rows: SIDE, columns: SIDE }, box);
    loupe.replaceChildren(
      numbers({
        values: patch,
        rows: LOUPE,
        columns: LOUPE,
        cell: state.big ? 48 : 40,
        scale: "pencil",
        theme,
        range: [0, 1],
        label: `rows ${top} to ${top + 6}, columns ${left} to ${left + 6}`,
        marks: new Set([(at[0] - top) * LOUPE + at[1] - left]),
      }),
    );
    write(words, `row ${at[0]}, column ${at[1]}: ${short(value)}`);
  }

  return {
    root,
    draw,
    wants: () => [],
    isDone: ({ state, data }) => {
      const known = edit;
      if (!known || known.picture !== state.picture || data.input?.levels !== known.levels) return false;
      return known.levels.some((level, i) => level >= INK && known.from[i] <= PAPER);
    },
  };
};
