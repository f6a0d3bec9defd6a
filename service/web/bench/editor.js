// The kernel editor: a grid of cells to paint, to type into, and to move through with the arrows.

import { begun, make, number, set, write } from "../shared/dom.js";
import { colourOf, colourTable, extent, shownRange } from "../numbers/scales.js";
import { leastSide, textSize } from "../shared/heatmap.js";
import { numberOf } from "../state/state.js";

/** @import { Theme } from "../numbers/types.d.ts" */
/** @import { Kernel } from "../state/types.d.ts" */
/** @import { Editor, KernelEditor, Wrong } from "./types.d.ts" */

const BRUSHES = [-2, -1, 0, 1, 2];

/**
 * The shortest text that reads back as the same 32-bit number.
 * @type {(value: number) => string}
 */
export function exact(value) {
  for (let digits = 1; digits < 9; digits += 1) {
    const text = String(Number(value.toPrecision(digits)));
    if (Math.fround(Number(text)) === Math.fround(value)) return text;
  }
  return String(Number(value.toPrecision(9)));
}

/**
 * A kernel of another size, its cells kept around the middle.
 * @type {(kernel: Kernel, size: { rows?: number, columns?: number }) => { rows: number, columns: number,
 *   cells: string[] }}
 */
export function reshaped({ rows, columns, cells }, { rows: newRows = rows, columns: newColumns = columns }) {
  const [down, right] = [Math.floor((newRows - rows) / 2), Math.floor((newColumns - columns) / 2)];
  const moved = Array.from({ length: newRows * newColumns }, (_, i) => {
    const [y, x] = [Math.floor(i / newColumns) - down, (i % newColumns) - right];
    return y >= 0 && x >= 0 && y < rows && x < columns ? cells[y * columns + x] : "0";
  });
  return { rows: newRows, columns: newColumns, cells: moved };
}

/**
 * edit(patch) is called with {cells} or {rows, columns, cells}.
 * @type {(edit: (patch: Partial<Kernel>) => void) => KernelEditor}
 */
export function createEditor(edit) {
  /** @type {Editor} */
  const editor = begun({ edit, kernel: null, brushValue: 1, painting: null, typed: "", here: 0, cells: [] });
  editor.root = make("div", { class: "kernel", role: "grid", "aria-label": "Kernel" });
  editor.brush = buildBrush(editor);
  listenToPointer(editor);
  editor.root.addEventListener("keydown", (event) => {
    if (pressed(editor, event)) event.preventDefault();
  });
  editor.root.addEventListener("paste", (event) => pasted(editor, event));
  editor.root.addEventListener("focusout", () => {
    editor.typed = "";
  });
  return {
    root: editor.root,
    brush: editor.brush,
    draw: (kernel, theme, errors, side) => draw(editor, kernel, theme, errors, side),
  };
}

/** @type {(editor: { brushValue: number }) => HTMLElement} */
function buildBrush(editor) {
  const value = number("Brush", { min: -1000, max: 1000, step: "any", value: 1 }, (brush) => choose(brush), {
    id: "brush",
  });
  const buttons = BRUSHES.map((brush) =>
    make(
      "button",
      {
        "aria-pressed": "false",
        onclick: () => {
          value.box.value = String(brush);
          choose(brush);
        },
      },
      brush < 0 ? `\u2212${-brush}` : String(brush),
    ),
  );
  /** @type {(brush: number) => void} */
  const choose = (brush) => {
    editor.brushValue = brush;
    buttons.forEach((button, i) => set(button, "aria-pressed", String(BRUSHES[i] === brush)));
  };
  choose(1);
  return make("div", { class: "row", role: "group", "aria-label": "Brush" }, value.field, buttons);
}

/** @type {(editor: Editor, kernel: Kernel, theme: Theme, errors: Wrong[], side: number) => void} */
function draw(editor, kernel, theme, errors, side) {
  const { rows, columns, cells } = kernel;
  if (!editor.kernel || editor.kernel.rows !== rows || editor.kernel.columns !== columns) build(editor, rows, columns);
  if (editor.side !== side) resize(editor, columns, side);
  editor.kernel = kernel;
  const values = cells.map(numberOf);
  const range = shownRange("diverging", extent(values));
  const table = colourTable("diverging", theme);
  const wrong = new Set(
    errors
      .map(({ pointer }) => /\/weights\/(\d+)\/(\d+)/.exec(pointer))
      .filter((found) => found !== null)
      .map(([, y, x]) => Number(y) * columns + Number(x)),
  );
  editor.cells.forEach((cell, i) => {
    const { fill, text } = colourOf(values[i], range, table);
    cell.style.background = fill;
    cell.style.color = text;
    write(cell, side < leastSide() ? "" : abbreviated(cells[i]));
    const label = `row ${Math.floor(i / columns)}, column ${i % columns}, ${cells[i]}`;
    if (cell.getAttribute("aria-label") !== label) set(cell, "aria-label", label);
    cell.classList.toggle("wrong", wrong.has(i));
  });
}

/** @type {(text: string) => string} */
function abbreviated(text) {
  const value = numberOf(text);
  const short = text.length <= 5 ? text : String(Number(value.toPrecision(2)));
  return short.replace("-", "\u2212").replace(/^(\u2212?)0\./, "$1.");
}

/** @type {(editor: Editor, rows: number, columns: number) => void} */
function build(editor, rows, columns) {
  editor.side = 0;
  editor.cells = Array.from({ length: rows * columns }, (_, i) =>
    make("div", { role: "gridcell", tabindex: i ? "-1" : "0", "data-index": i }),
  );
  editor.here = 0;
  const lines = Array.from({ length: rows }, (_, y) =>
    make("div", { role: "row" }, editor.cells.slice(y * columns, (y + 1) * columns)),
  );
  editor.root.replaceChildren(...lines);
}

/** @type {(editor: Editor, columns: number, side: number) => void} */
function resize(editor, columns, side) {
  editor.side = side;
  editor.root.style.gridTemplateColumns = `repeat(${columns}, ${side}px)`;
  editor.root.style.gridAutoRows = `${side}px`;
  editor.root.style.fontSize = `${textSize(side)}px`;
}

/** @type {(editor: Editor) => void} */
function listenToPointer(editor) {
  const { root } = editor;
  /** @type {(event: PointerEvent) => number | null} */
  const indexAt = (event) => {
    const cell = document.elementFromPoint(event.clientX, event.clientY)?.closest?.("[data-index]");
    return cell && root.contains(cell) ? Number(cell.getAttribute("data-index")) : null;
  };
  root.addEventListener("pointerdown", (event) => {
    const index = indexAt(event);
    if (!editor.kernel || index === null || event.button !== 0) return;
    root.setPointerCapture(event.pointerId);
    const isSame = numberOf(editor.kernel.cells[index]) === editor.brushValue;
    editor.painting = String(isSame ? 0 : editor.brushValue);
    put(editor, index, editor.painting);
    go(editor, index);
    event.preventDefault();
  });
  root.addEventListener("pointermove", (event) => {
    const { painting } = editor;
    const index = painting === null ? null : indexAt(event);
    if (painting !== null && index !== null && editor.kernel?.cells[index] !== painting) put(editor, index, painting);
  });
  for (const kind of ["pointerup", "pointercancel"])
    root.addEventListener(kind, () => {
      editor.painting = null;
    });
}

/** @type {(editor: Editor, index: number, text: string) => void} */
function put(editor, index, text) {
  if (!editor.kernel) return;
  const cells = [...editor.kernel.cells];
  cells[index] = text;
  editor.kernel = { ...editor.kernel, cells };
  editor.edit({ cells });
}

/** @type {(editor: Editor, index: number) => void} */
function go(editor, index) {
  set(editor.cells[editor.here], "tabindex", "-1");
  editor.here = index;
  editor.typed = "";
  set(editor.cells[index], "tabindex", "0");
  editor.cells[index].focus({ preventScroll: true });
}

/** @type {Record<string, [down: number, right: number]>} */
const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

/** @type {(editor: Editor, event: KeyboardEvent) => boolean} */
function pressed(editor, event) {
  if (!editor.kernel || event.ctrlKey || event.metaKey || event.altKey) return false;
  const { rows, columns, cells } = editor.kernel;
  const [y, x] = [Math.floor(editor.here / columns), editor.here % columns];
  if (event.key in ARROWS) {
    const [down, right] = ARROWS[event.key];
    go(editor, Math.min(Math.max(y + down, 0), rows - 1) * columns + Math.min(Math.max(x + right, 0), columns - 1));
  } else if (event.key === "Home") go(editor, y * columns);
  else if (event.key === "End") go(editor, y * columns + columns - 1);
  else if (event.key === "Delete") put(editor, editor.here, "0");
  else if (event.key === "Backspace") type(editor, editor.typed.slice(0, -1));
  else if (event.key === "+" || (event.key === "-" && event.shiftKey) || event.key === "_")
    step(editor, cells, event.key === "+" ? 1 : -1, event.shiftKey);
  else if (/^[0-9.,-]$/.test(event.key)) type(editor, editor.typed + event.key.replace(",", "."));
  else return false;
  return true;
}

/** @type {(editor: Editor, cells: string[], sign: number, isLarge: boolean) => void} */
function step(editor, cells, sign, isLarge) {
  put(editor, editor.here, exact(numberOf(cells[editor.here]) + sign * (isLarge ? 1 : 0.1)));
}

/** @type {(editor: Editor, text: string) => void} */
function type(editor, text) {
  if (!/^-?\d*\.?\d*$/.test(text) || text.length > 12) return;
  editor.typed = text;
  put(editor, editor.here, text === "" || text === "-" || text === "." ? "0" : text);
}

/**
 * A table from a spreadsheet, or any rows of numbers, becomes the kernel.
 * @type {(editor: Editor, event: ClipboardEvent) => void}
 */
function pasted(editor, event) {
  const table = (event.clipboardData?.getData("text") ?? "")
    .trim()
    .split(/\r?\n|;/)
    .map((line) => line.trim().split(/[\s,]+/));
  const [rows, columns] = [table.length, table[0].length];
  const isTable =
    rows <= 15 &&
    columns <= 15 &&
    table.every(
      (line) => line.length === columns && line.every((cell) => cell !== "" && Number.isFinite(Number(cell))),
    );
  event.stopPropagation();
  if (!isTable) return;
  event.preventDefault();
  editor.edit({ rows, columns, cells: table.flat() });
}
