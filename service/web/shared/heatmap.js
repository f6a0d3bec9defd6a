// Arrays of numbers, painted. The buffer has one pixel per number; CSS enlarges it.

import { make, shape, set, write } from "./dom.js";
import { colourOf, colourTable, extent, level, short, shownRange } from "../numbers/scales.js";
import { context2d } from "../state/picture.js";

/** @import { Box, Levels, Span, Theme, Values } from "../numbers/types.d.ts" */
/** @import { Legend, Matrix, Multiplication, Properties } from "./types.d.ts" */

/**
 * A canvas for rows x columns numbers. It is hidden from screen readers: words beside it say what it shows.
 * @type {(properties?: Properties) => HTMLCanvasElement}
 */
export function heatmap(properties = {}) {
  return make("canvas", { class: "heat", "aria-hidden": "true", width: 1, height: 1, ...properties });
}

/**
 * Paint values[start ...] of a rows x columns map with 256 colours between lo and hi. What is no number is left out.
 * @type {(canvas: HTMLCanvasElement, values: Values, rows: number, columns: number, table: Uint32Array, range: Span,
 *   start?: number) => void}
 */
export function paint(canvas, values, rows, columns, table, [lo, hi], start = 0) {
  const { context, image, words } = bufferOf(canvas, rows, columns);
  const count = rows * columns;
  for (let i = 0; i < count; i += 1) {
    const value = values[start + i];
    words[i] = Number.isNaN(value) ? 0 : table[level(value, lo, hi)];
  }
  context.putImageData(image, 0, 0);
}

/**
 * Paint a picture as it is looked at: ink on the paper of the theme, or the light and the colours of a photo.
 * @type {(canvas: HTMLCanvasElement, picture: Levels, theme: Theme) => void}
 */
export function paintPicture(canvas, { levels, width, height, channels, isInk }, theme) {
  if (isInk) return paint(canvas, levels, height, width, colourTable("pencil", theme), [0, 255]);
  const { context, image, words } = bufferOf(canvas, height, width);
  for (let i = 0; i < words.length; i += 1) {
    const [red, green, blue] = channels > 1 ? levels.subarray(3 * i, 3 * i + 3) : Array(3).fill(levels[i]);
    words[i] = ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
  }
  context.putImageData(image, 0, 0);
}

/** @type {WeakMap<HTMLCanvasElement, { context: CanvasRenderingContext2D, image: ImageData, words: Uint32Array }>} */
const buffers = new WeakMap();

/**
 * The pixels of a canvas, made once for as long as its size stays.
 * @type {(canvas: HTMLCanvasElement, rows: number, columns: number) => { context: CanvasRenderingContext2D,
 *   image: ImageData, words: Uint32Array }}
 */
function bufferOf(canvas, rows, columns) {
  const known = buffers.get(canvas);
  if (known && canvas.width === columns && canvas.height === rows) return known;
  Object.assign(canvas, { width: columns, height: rows });
  const image = new ImageData(columns, rows);
  const buffer = { context: context2d(canvas), image, words: new Uint32Array(image.data.buffer) };
  buffers.set(canvas, buffer);
  return buffer;
}

/**
 * Make the canvas width x height CSS pixels large, or as much of that as there is room for.
 * @type {(canvas: HTMLCanvasElement, width: number, height: number) => void}
 */
export function resize(canvas, width, height) {
  canvas.style.width = `${width}px`;
  canvas.style.aspectRatio = `${width} / ${height}`;
}

/**
 * A legend: the strip of colours, its ends and zero in numbers, and which range that is.
 * @type {() => Legend}
 */
export function legend() {
  const strip = heatmap({ class: "heat strip" });
  const low = make("span", {}, "");
  const middle = make("span", {}, "");
  const high = make("span", {}, "");
  const name = make("span", { class: "muted" }, "");
  const root = make("div", { class: "legend" }, strip, make("div", { class: "ends" }, low, middle, high), name);
  const ramp = Float32Array.from({ length: 64 }, (_, i) => i / 63);
  /** @type {Legend["draw"]} */
  const draw = (scale, theme, [lo, hi], words) => {
    paint(strip, ramp, 1, 64, colourTable(scale, theme), [0, 1]);
    write(low, short(lo));
    write(middle, lo < 0 && hi > 0 ? "0" : "");
    write(high, short(hi));
    write(name, words);
  };
  return { root, draw };
}

/**
 * A small matrix with its numbers written in the cells; for patches, kernels and products.
 * values: rows x columns; marks: a set of indices to frame; muted: a set of indices that are padding.
 * @type {(matrix: Matrix) => SVGElement}
 */
export function numbers({ values, rows, columns, cell, scale, theme, range, label, marks, muted, digits = true }) {
  const table = colourTable(scale, theme);
  const width = columns * cell;
  const height = rows * cell;
  const root = shape("svg", {
    class: "numbers",
    width,
    height,
    viewBox: `0 0 ${width} ${height}`,
    role: "img",
    "aria-label": label,
  });
  for (let i = 0; i < rows * columns; i += 1) {
    const [x, y] = [(i % columns) * cell, Math.floor(i / columns) * cell];
    const { fill, text } = colourOf(values[i], range, table);
    root.append(shape("rect", { x, y, width: cell, height: cell, fill, class: muted?.has(i) ? "padding" : null }));
    if (digits && cell >= leastSide())
      root.append(
        shape("text", { x: x + cell / 2, y: y + cell / 2, fill: text, "font-size": textSize(cell) }, tiny(values[i])),
      );
    if (marks?.has(i))
      root.append(shape("rect", { x: x + 1, y: y + 1, width: cell - 2, height: cell - 2, class: "mark" }));
  }
  return root;
}

// Four letters fit a cell at this share of its side.
const TEXT = 0.4;

/**
 * The size of a number in a cell, in pixels.
 * @type {(side: number) => number}
 */
export function textSize(side) {
  return Math.min(18, side * TEXT);
}

/**
 * The side of a cell from which on its number can be read: from the back row, where the page is presented.
 * @type {() => number}
 */
export function leastSide() {
  return (document.documentElement.hasAttribute("data-big") ? 16 : 9) / TEXT;
}

/**
 * A matrix with its numbers, and its name under it.
 * @type {(matrix: Matrix) => HTMLElement}
 */
function named(matrix) {
  const label = `${matrix.label}, ${matrix.rows} by ${matrix.columns}`;
  return make("figure", {}, numbers({ ...matrix, label }), make("figcaption", {}, matrix.label));
}

/**
 * A sum as the lecture writes it: patch × filter = products. Where there are no products, it ends with the =.
 * patch, weights, products: rows x columns; padding: the indices of the patch that are padding
 * shown: how the patch is shown, where that is not as ink
 * @type {(sum: Multiplication, layout: Pick<Matrix, "rows" | "columns" | "cell" | "theme">,
 *   shown?: Partial<Matrix>) => HTMLElement[]}
 */
export function multiplication({ patch, padding, weights, products }, layout, shown = {}) {
  /** @type {(text: string) => HTMLElement} */
  const sign = (text) => make("span", { class: "sign" }, text);
  /** @type {(values: Values, label: string) => HTMLElement} */
  const centred = (values, label) =>
    named({ ...layout, values, scale: "diverging", range: shownRange("diverging", extent(values)), label });
  return [
    named({ ...layout, values: patch, scale: "pencil", range: [0, 1], label: "patch", muted: padding, ...shown }),
    sign("×"),
    centred(weights, "filter"),
    sign("="),
    ...(products ? [centred(products, "products")] : []),
  ];
}

// At most four letters, so that they fit a cell.
/** @type {(value: number) => string} */
function tiny(value) {
  const size = Math.abs(value);
  if (size < 0.005) return "0";
  const text = size >= 100 ? String(Math.round(size)) : size >= 10 ? size.toFixed(0) : size.toFixed(size >= 1 ? 1 : 2);
  const trimmed = text.includes(".") ? text.replace(/\.?0+$/, "").replace(/^0\./, ".") : text;
  return value < 0 ? `\u2212${trimmed}` : trimmed;
}

/**
 * Move a frame, positioned over a heatmap of rows x columns, to a box of cells; null hides it.
 * @type {(element: HTMLElement, box: Box | null, rows: number, columns: number) => void}
 */
export function frame(element, box, rows, columns) {
  set(element, "hidden", box === null);
  if (!box) return;
  element.style.left = `${(box.left / columns) * 100}%`;
  element.style.top = `${(box.top / rows) * 100}%`;
  element.style.width = `${(box.width / columns) * 100}%`;
  element.style.height = `${(box.height / rows) * 100}%`;
}

/**
 * Which cell of a rows x columns canvas a pointer is over.
 * @type {(canvas: HTMLCanvasElement, event: MouseEvent, rows: number, columns: number) => [row: number,
 *   column: number]}
 */
export function cellAt(canvas, event, rows, columns) {
  const box = canvas.getBoundingClientRect();
  const column = Math.floor(((event.clientX - box.left) / box.width) * columns);
  const row = Math.floor(((event.clientY - box.top) / box.height) * rows);
  return [Math.min(Math.max(row, 0), rows - 1), Math.min(Math.max(column, 0), columns - 1)];
}
