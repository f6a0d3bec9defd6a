// A map whose cells a pointer, a finger and the keys can reach, and a screen reader can read.

import { make, set } from "./dom.js";
import { cellAt, frame, heatmap } from "./heatmap.js";

/** @import { Grid, GridEvents } from "./types.d.ts" */

let count = 0;

// Where the page moves under a mouse at rest, the browser tells of a move, too. The keys' cell would be lost by that.
// (It tells of the first real move as one by 0 pixels, so that its movementX does not say which is which.)
const mouse = { at: "", isAtRest: false };
document.addEventListener(
  "pointermove",
  ({ screenX, screenY }) => {
    const at = `${screenX},${screenY}`;
    Object.assign(mouse, { at, isAtRest: at === mouse.at });
  },
  true,
);

/**
 * A heatmap with one tab stop and one real cell, which the arrows move.
 * on: {move(row, column), pin(row, column), page(step), leave()}; all but move may be missing
 * @type {(label: string, on: GridEvents) => Grid}
 */
export function createGrid(label, on) {
  count += 1;
  const canvas = heatmap();
  const cell = make("div", { role: "gridcell", id: `cell-${count}` });
  const row = make("div", { role: "row" }, cell);
  const root = make(
    "div",
    { class: "grid-map", role: "grid", tabindex: "0", "aria-label": label, "aria-activedescendant": cell.id },
    canvas,
    row,
  );
  /** @type {Grid} */
  const grid = {
    root,
    canvas,
    rows: 1,
    columns: 1,
    at: [0, 0],
    // Say which cell is meant, and what it holds.
    mark(rows, columns, at, words) {
      Object.assign(grid, { rows, columns, at });
      set(root, "aria-rowcount", rows);
      set(root, "aria-colcount", columns);
      set(row, "aria-rowindex", at[0] + 1);
      set(cell, "aria-colindex", at[1] + 1);
      set(cell, "aria-label", `row ${at[0]}, column ${at[1]}, ${words}`);
      frame(cell, { top: at[0], left: at[1], width: 1, height: 1 }, rows, columns);
    },
    name(text) {
      if (root.getAttribute("aria-label") !== text) set(root, "aria-label", text);
    },
  };

  canvas.addEventListener("pointermove", (event) => {
    if (!mouse.isAtRest) on.move(...cellAt(canvas, event, grid.rows, grid.columns));
  });
  canvas.addEventListener("click", (event) => (on.pin || on.move)(...cellAt(canvas, event, grid.rows, grid.columns)));
  root.addEventListener("keydown", (event) => {
    if (pressed(event, grid, on)) event.preventDefault();
  });
  return grid;
}

/** @type {Record<string, [down: number, right: number]>} */
const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

/** @type {(event: KeyboardEvent, grid: Grid, on: GridEvents) => boolean} */
function pressed(event, grid, on) {
  const { rows, columns } = grid;
  const [row, column] = grid.at;
  // It is noted at once: keys may come faster than frames, and all of them count.
  /** @type {(y: number, x: number) => void} */
  const go = (y, x) => {
    grid.at = [Math.min(Math.max(y, 0), rows - 1), Math.min(Math.max(x, 0), columns - 1)];
    on.move(grid.at[0], grid.at[1]);
  };
  if (event.key in ARROWS) go(row + ARROWS[event.key][0], column + ARROWS[event.key][1]);
  else if (event.key === "Home") go(event.ctrlKey ? 0 : row, 0);
  else if (event.key === "End") go(event.ctrlKey ? rows - 1 : row, columns - 1);
  else if ((event.key === "PageUp" || event.key === "PageDown") && on.page) on.page(event.key === "PageUp" ? -1 : 1);
  else if (event.key === "Enter" && on.pin) on.pin(row, column);
  else if (event.key === "Escape" && on.leave) on.leave();
  else return false;
  return true;
}

/**
 * Arrow keys within a group of buttons that is one tab stop.
 * @type {(group: HTMLElement, columns: () => number) => void}
 */
export function roving(group, columns) {
  group.addEventListener("keydown", (event) => {
    const buttons = [...group.querySelectorAll("button")];
    const here = buttons.findIndex((button) => button === document.activeElement);
    const step = {
      ArrowLeft: -1,
      ArrowRight: 1,
      ArrowUp: -columns(),
      ArrowDown: columns(),
      Home: -here,
      End: buttons.length - 1 - here,
    }[event.key];
    const next = step === undefined || here < 0 ? null : buttons[here + step];
    if (!next) return;
    event.preventDefault();
    enter(buttons, next);
    next.focus();
  });
}

/**
 * Make one button of a group its tab stop.
 * @type {(buttons: Element[], chosen: Element) => void}
 */
export function enter(buttons, chosen) {
  for (const button of buttons) set(button, "tabindex", button === chosen ? "0" : "-1");
}
