// Step 7: four numbers become one, and what a shift of the picture changes before and after.

import { difference } from "../numbers/arithmetic.js";
import { fixed, plainPercent, short } from "../numbers/scales.js";
import { changes, make, set, write } from "../shared/dom.js";
import { createGrid } from "../shared/grid.js";
import { frame, legend } from "../shared/heatmap.js";
import { answerOf, applyWant, around, bar, figure, flat, PAIR, paintMap } from "./parts.js";

/** @import { Input, Model, Want } from "../state/types.d.ts" */
/** @import { Answer, Create } from "./types.d.ts" */

const MOST = 3; // pixels that the digit can be moved
const ENOUGH = 0.5;
/** @type {["map" | "max" | "mean", string][]} */
const KINDS = [
  ["map", "The map, 11 × 11"],
  ["max", "The greatest of four"],
  ["mean", "The mean of four"],
];

const LANES = KINDS.map(([kind]) => `lecture/${kind}`).join(" ");

/** @type {Create} */
export const create = (room) => {
  const { context } = room;
  let at = [2, 2]; // a cell of the pooled maps
  const isNew = changes();
  const grids = KINDS.map(([kind, label]) => {
    const grid = createGrid(label, {
      move: (row, column) => {
        at = (kind === "map" ? [row >> 1, column >> 1] : [row, column]).map((place) => Math.min(place, 4));
        room.redraw();
      },
    });
    const window = make("span", { class: "frame" });
    grid.root.append(window);
    if (kind === "map") grid.root.classList.add("pick");
    return { kind, label, grid, window };
  });
  const scale = legend();
  const words = make("p", { class: "formula", id: "pool-words", "data-lane": LANES }, "");
  const gauges = [
    bar("the map"),
    bar("after pooling, greatest"),
    bar("after pooling, mean"),
    bar("the network’s ten sums"),
  ];
  const moved = make("p", { class: "muted" }, "");
  const reads = make("p", { id: "pool-reads" }, "");
  const compass = make(
    "div",
    { class: "compass", role: "group", "aria-label": "Move the digit by a pixel" },
    [-1, 0, 1].flatMap((down) => [-1, 0, 1].map((right) => arrow(right, down))),
  );
  const root = make(
    "div",
    {},
    make(
      "div",
      { class: "plates three", "data-lane": LANES },
      grids.map(({ label, grid }) => figure(grid, label)),
      make("div", { class: "mover" }, make("h3", {}, "Move the digit"), compass, moved),
    ),
    words,
    make(
      "div",
      { class: "plates", "data-lane": LANES },
      make(
        "div",
        { class: "column" },
        make("h3", {}, "How much has changed"),
        gauges.map(({ root: gauge }) => gauge),
        reads,
      ),
      make("figure", {}, scale.root),
    ),
  );

  /** @type {(right: number, down: number) => HTMLElement} */
  function arrow(right, down) {
    const names = [["left", "", "right"][right + 1], ["up", "", "down"][down + 1]].filter(Boolean);
    const sign = ["↖↑↗", "←·→", "↙↓↘"][down + 1][right + 1];
    const act = () => {
      const [x, y] = context.store.get().shift;
      /** @type {(value: number) => number} */
      const held = (value) => Math.min(Math.max(value, -MOST), MOST);
      context.set({ shift: right || down ? [held(x + right), held(y + down)] : [0, 0] });
    };
    return make("button", { onclick: act, "aria-label": names.join(" and ") || "back to the middle" }, sign);
  }

  /** @type {(name: string, kind: "map" | "max" | "mean", picture: Input) => Want} */
  function ask(name, kind, picture) {
    const pool = kind === "map" ? {} : { pool: { kind: kind === "max" ? "max" : "avg", size: 2 } };
    return applyWant(`lecture/${name}${kind}`, picture, { filters: [PAIR[0]], ...pool });
  }

  /** @type {(name: string, picture: Input) => Want[]} */
  const asked = (name, picture) => KINDS.map(([kind]) => ask(name, kind, picture));

  /** @type {(name: string, picture: Input | null | undefined) => Float32Array[] | null} */
  function maps(name, picture) {
    if (!picture) return null;
    const found = KINDS.map(([kind]) => {
      /** @type {Answer | null} */
      const answer = answerOf(room, `lecture/${name}${kind}`, ask(name, kind, picture));
      return answer ? flat(answer.filters[0].response) : null;
    });
    return found.every((each) => each !== null) ? /** @type {Float32Array[]} */ (found) : null;
  }

  /**
   * How much each has changed, and whether the digit is the same; null while an answer is missing.
   * @type {(model: Model) => { shares: number[], isSame: boolean, digit: number } | null}
   */
  function changed({ data, state }) {
    const [now, before] = [maps("", data.input), maps("base-", data.base)];
    const [isMoved, first] = [String(state.shift) !== "0,0", data.verdict?.result];
    const last = isMoved ? data.edited?.result : first;
    const isAnswered = ["verdict", "edited"].every((lane) => context.lanes.standing(lane).isSettled);
    if (!now || !before || !first || !last || (isMoved && !isAnswered)) return null;
    const shares = [...now.map((values, i) => difference(before[i], values)), difference(first.logits, last.logits)];
    return { shares, isSame: first.digit === last.digit, digit: last.digit };
  }

  /** @type {(model: Model) => void} */
  function draw(model) {
    const { data, state, theme } = model;
    const now = maps("", data.input);
    const found = changed(model);
    if (!now || !isNew(now[0][0], data.input, String(at), theme, String(found?.shares), data.edited)) return;
    const range = around(...now);
    grids.forEach(({ kind, grid, window }, i) => {
      const side = kind === "map" ? 11 : 5;
      paintMap(grid.canvas, { values: now[i], rows: side, columns: side, theme, range });
      const cell = kind === "map" ? at.map((place) => 2 * place) : at;
      grid.mark(side, side, cell, short(now[i][cell[0] * side + cell[1]]));
      const size = kind === "map" ? 2 : 1;
      frame(window, { top: cell[0], left: cell[1], height: size, width: size }, side, side);
    });
    const four = [0, 1, 11, 12].map((step) => now[0][at[0] * 22 + at[1] * 2 + step]);
    const [most, mean] = [now[1], now[2]].map((values) => values[at[0] * 5 + at[1]]);
    const list = four.map((value) => fixed(value)).join(", ");
    write(
      words,
      `${list}: the greatest is ${fixed(most)}, the mean ${fixed(mean)}. The last row and column of the 11 are left out.`,
    );
    scale.draw("diverging", theme, range, "one scale for all three");
    const [right, down] = state.shift;
    write(moved, right || down ? `moved by ${right} to the right and ${down} down` : "not moved");
    set(moved, "class", "muted");
    if (!found) return;
    gauges.forEach((gauge, i) => gauge.draw(found.shares[i], found.shares[i] ? plainPercent(found.shares[i]) : "0 %"));
    const words2 = found.isSame ? `It still reads ${found.digit}.` : `Now it reads ${found.digit}: too far.`;
    write(reads, right || down ? words2 : "Nothing is moved yet.");
  }

  return {
    root,
    draw,
    wants: ({ data }) => (data.input && data.base ? [...asked("", data.input), ...asked("base-", data.base)] : []),
    isDone: (model) => {
      const found = changed(model);
      return found !== null && String(model.state.shift) !== "0,0" && found.shares[0] > ENOUGH && found.isSame;
    },
  };
};
