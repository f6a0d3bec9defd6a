// Picture, products and map, always together: the window on the picture, the sum behind one cell, and the cell in the
// map. The window is dragged on the picture, or pointed at in the map. Cells that it has not reached are hatched.

import { clip, cut, multiply, windowOf } from "../numbers/arithmetic.js";
import { begun, changes, make, set, write } from "../shared/dom.js";
import { createGrid } from "../shared/grid.js";
import { cellAt, frame, heatmap, leastSide, legend, numbers, paint, resize } from "../shared/heatmap.js";
import { colourTable, extent, fixed, shownRange, short } from "../numbers/scales.js";
import { kindOf } from "../state/kind.js";
import { counted, unread } from "../shared/words.js";

/** @import { Theme } from "../numbers/types.d.ts" */
/** @import { Applied, ApplyCall, Entry, Input, Model } from "../state/types.d.ts" */
/** @import { Context } from "../shared/types.d.ts" */
/** @import { Motion, Placed, Places, Sides, Stage, StageView } from "./types.d.ts" */

const GAPS = 150; // pixels in a row for signs and gaps
const ABOVE = 400; // pixels of the window that other things take where the sum is below the picture
const LEAST = 196; // side of a picture there, in pixels
const LARGEST = 44; // side of a cell of a kernel, in pixels

/**
 * editor: the kernel, which stands between patch and products
 * @type {(context: Context, editor: HTMLElement, motion: Motion) => Stage}
 */
export function createStage(context, editor, motion) {
  /** @type {StageView} */
  const view = begun({ context, motion, isNew: changes(), width: 0, places: { count: 0, columns: 1, place: 0 } });
  view.count = make("h2", {}, "");
  view.rest = make("p", { class: "muted" }, "");
  view.picture = heatmap({ class: "heat dragged" });
  view.window = make("span", { class: "frame" });
  view.edges = [0, 1].map(() => make("span", { class: "unread", hidden: true }));
  view.corner = make("figcaption", { class: "muted" }, "");
  view.grid = createGrid("response", { move: (row, column) => motion.go(row * view.places.columns + column) });
  view.grid.canvas.classList.add("dragged");
  view.inner = make("span", { class: "frame second", hidden: true });
  view.grid.root.append(view.inner);
  view.legend = legend();
  view.patch = make("figure", { class: "patch", "data-lane": "response" });
  view.products = make("figure", { class: "products", "data-lane": "response" });
  view.formula = make("p", { class: "formula", id: "response-sum", "data-lane": "response" });
  view.row = buildRow(view, editor);
  view.root = make(
    "div",
    { class: "result" },
    make("div", { class: "counts", "data-lane": "response" }, view.count, view.rest),
    view.row,
  );
  listenToDrag(view);
  return {
    root: view.root,
    fit: (width) => {
      view.width = width;
    },
    draw: (model) => draw(view, model),
    grid: () => view.places,
    sides: () => view.sides ?? sidesOf(view.width, 7, 7, longerOf(context)),
    frameIn: (box, rows, columns) => frame(view.inner, box, rows, columns),
  };
}

/** @type {(view: StageView, editor: HTMLElement) => HTMLElement} */
function buildRow(view, editor) {
  /** @type {(text: string) => HTMLElement} */
  const sign = (text) => make("span", { class: "sign", "aria-hidden": "true" }, text);
  const picture = make("div", { class: "framed" }, view.picture, view.edges, view.window);
  return make(
    "div",
    { class: "bench" },
    make("figure", { class: "picture", "data-lane": "response" }, picture, view.corner),
    make(
      "div",
      { class: "sum" },
      view.patch,
      sign("×"),
      make("figure", { class: "filter" }, editor, make("figcaption", {}, "filter")),
      sign("="),
      view.products,
      view.formula,
    ),
    make(
      "figure",
      { class: "map-figure", "data-lane": "response" },
      view.grid.root,
      view.legend.root,
    ),
  );
}

/**
 * The window follows a pointer that is down, its middle under it.
 * @type {(view: StageView) => void}
 */
function listenToDrag(view) {
  const { picture } = view;
  /** @type {(event: PointerEvent) => void} */
  const follow = (event) => {
    const { placed } = view;
    if (!placed || !picture.hasPointerCapture(event.pointerId)) return;
    const { rows, columns, patches, kernel, stride } = placed;
    const [y, x] = cellAt(picture, event, rows, columns);
    /** @type {(at: number, axis: 0 | 1) => number} */
    const place = (at, axis) => {
      const step = Math.round((at - (kernel[axis] - 1) / 2) / stride[axis]);
      return Math.min(Math.max(step, 0), patches[axis] - 1);
    };
    view.motion.go(place(y, 0) * patches[1] + place(x, 1));
  };
  picture.addEventListener("pointerdown", (event) => {
    picture.setPointerCapture(event.pointerId);
    follow(event);
    event.preventDefault();
  });
  picture.addEventListener("pointermove", follow);
}

// ---- sizes ----

/**
 * The sides, in pixels, of the picture and the map, and of a cell of patch, filter and products; and which of three
 * arrangements there is room for: all in a row, the sum below, or the filter below that as well.
 * side: the longer one of the picture, in its own pixels
 * @type {(width: number, rows: number, columns: number, side: number) => Sides}
 */
function sidesOf(width, rows, columns, pixels) {
  const isBig = document.documentElement.hasAttribute("data-big");
  const most = Math.max(rows, columns);
  const arrangement = width < 600 ? "stacked" : width < 940 || isBig ? "below" : "abreast";
  const ratio = Math.max(1, Math.floor(devicePixelRatio));
  /** @type {(side: number) => number} */
  const whole = (side) => (side < pixels ? side : pixels * Math.max(1, Math.floor((side / pixels) * ratio) / ratio));
  if (arrangement === "abreast") {
    const cell = Math.max(9, Math.min(LARGEST, Math.floor((0.19 * (width - GAPS)) / most)));
    const picture = whole(Math.min((width - GAPS - 3 * cell * columns) / 2, 0.55 * innerHeight));
    return { arrangement, picture, map: picture, cell, factor: cell, editor: cell };
  }
  if (arrangement === "below") {
    // From the back row the products at least have numbers.
    const cell = Math.max(isBig ? leastSide() : 9, Math.min(LARGEST, Math.floor((width - 90) / (3 * columns))));
    const factor = Math.max(6, Math.min(cell, Math.floor((width - 90 - cell * columns) / (2 * columns))));
    const room = Math.max(innerHeight - ABOVE - cell * rows, LEAST);
    const picture = whole(Math.min((width - 16) / 2, room));
    return { arrangement, picture, map: picture, cell, factor, editor: factor };
  }
  const picture = whole((width - 16) / 2);
  const cell = Math.max(8, Math.floor(Math.min(width / 2, 200) / most));
  const editor = Math.min(LARGEST, Math.floor((width - 4) / columns) - 1);
  return { arrangement, picture, map: picture, cell, factor: cell, editor };
}

/** @type {(context: Context) => number} */
function longerOf(context) {
  const { width, height } = kindOf(context.network()).form;
  return Math.max(width, height);
}

// ---- drawing ----

/** @type {(view: StageView, model: Model) => number} */
function draw(view, { state, data, theme }) {
  const { kernel } = state;
  const sides = sidesOf(view.width, kernel.rows, kernel.columns, longerOf(view.context));
  view.sides = sides;
  set(view.row, "class", `bench ${sides.arrangement}`);
  const entry = data.response;
  const result = entry?.answer.results[0];
  if (!entry || !result) {
    // There is no answer: the places are kept, so that nothing jumps when there is one.
    for (const canvas of [view.picture, view.grid.canvas]) resize(canvas, sides.picture, sides.picture);
    view.isNew(null);
    return sides.editor;
  }
  const place = placeOf(state.bench.place, result);
  const news = [entry, theme, place, state.bench.isWhole, view.width, innerHeight, state.big];
  if (!view.isNew(...news)) return sides.editor;
  const [rows, columns] = result.filters[0].shape.slice(-2);
  view.places = { count: rows * columns, columns, place };
  drawCounts(view, result, state.bench.stride);
  drawPicture(view, result, entry.want.request.picture, theme);
  drawMap(view, result, state.bench.isWhole, theme);
  drawSum(view, result, entry, theme);
  return sides.editor;
}

/**
 * The patch under the window; without a choice, the one that answers most, either way.
 * @type {(chosen: number, result: Applied) => number}
 */
function placeOf(chosen, { filters: [{ response }] }) {
  const values = response.flat(2);
  if (chosen >= 0) return Math.min(chosen, values.length - 1);
  return values.reduce((most, value, i) => (Math.abs(value) > Math.abs(values[most]) ? i : most), 0);
}

/** @type {(view: StageView, result: Applied, stride: number) => void} */
function drawCounts(view, { geometry: { patches, kernel, unread: edge, pads } }, stride) {
  write(view.count, `${patches[0]} × ${patches[1]} = ${counted(patches[0] * patches[1], "patch")} of ${kernel.join(" × ")}`);
  const padded = pads.some(Boolean)
    ? ` There are ${pads.slice(0, 2).join(" and ")} cells of padding above and left, ${pads.slice(2).join(" and ")} below and right.`
    : "";
  const isPlain = stride === 1 && !edge.some(Boolean);
  write(view.rest, `${isPlain ? "" : `Stride ${stride}: ${unread(edge)}.`}${padded}`.trim());
}

/**
 * The picture with its padding around it, the edge that is not read, and the window.
 * @type {(view: StageView, result: Applied, input: Input, theme: Theme) => void}
 */
function drawPicture(view, { geometry }, input, theme) {
  const [top, left, bottom, right] = geometry.pads;
  const { width, height, isInk } = input;
  const [rows, columns] = [height + top + bottom, width + left + right];
  const whole = { top: -top, left: -left, height: rows, width: columns };
  const { patch } = cut(input.unit, { rows: height, columns: width }, whole);
  paint(view.picture, patch, rows, columns, colourTable(isInk ? "pencil" : "light", theme), [0, 1]);
  const { picture: side } = /** @type {Sides} */ (view.sides);
  const scale = side / Math.max(rows, columns);
  resize(view.picture, columns * scale, rows * scale);
  /** @type {Placed} */
  const placed = { rows, columns, patches: geometry.patches, kernel: geometry.kernel, stride: geometry.stride };
  view.placed = placed;
  const { row, column } = at(view.places);
  const box = windowOf(geometry, row, column);
  frame(view.window, { ...box, top: box.top + top, left: box.left + left }, rows, columns);
  const [below, beside] = geometry.unread;
  const edges = [
    beside ? { top: 0, left: columns - beside, height: rows, width: beside } : null,
    below ? { top: rows - below, left: 0, height: below, width: columns } : null,
  ];
  view.edges.forEach((edge, i) => frame(edge, edges[i], rows, columns));
  write(view.corner, `patch ${view.places.place + 1}, its corner at row ${box.top}, column ${box.left}`);
}

/** @type {(places: Places) => { row: number, column: number }} */
function at({ place, columns }) {
  return { row: Math.floor(place / columns), column: place % columns };
}

/** @type {(view: StageView, result: Applied, isWhole: boolean, theme: Theme) => void} */
function drawMap(view, { filters: [{ response, shape }] }, isWhole, theme) {
  const [rows, columns] = shape.slice(-2);
  const values = response.flat(2);
  const { place } = view.places;
  const range = shownRange("diverging", extent(values));
  const shown = Float32Array.from(values, (value, i) => (isWhole || i <= place ? value : NaN));
  paint(view.grid.canvas, shown, rows, columns, colourTable("diverging", theme), range);
  const { map: side } = /** @type {Sides} */ (view.sides);
  const longer = Math.max(rows, columns);
  const cell = longer > side ? side / longer : Math.max(1, Math.floor(side / longer));
  resize(view.grid.canvas, columns * cell, rows * cell);
  const { row, column } = at(view.places);
  view.grid.mark(rows, columns, [row, column], short(values[place]));
  view.legend.draw("diverging", theme, range, "the map: a sum for each patch");
}

/**
 * The sum behind the cell: patch × filter = products, and what becomes of their sum.
 * @type {(view: StageView, result: Applied, entry: Entry<unknown, ApplyCall>, theme: Theme) => void}
 */
function drawSum(view, { filters: [filter], geometry }, { want: { request } }, theme) {
  const { row, column } = at(view.places);
  const [rows, columns] = geometry.kernel;
  const box = windowOf(geometry, row, column);
  const { unit, width, height, isInk } = request.picture;
  const { patch, padding } = cut(unit, { rows: height, columns: width }, box);
  const weights = Float32Array.from(/** @type {number[]} */ (filter.weights.flat()));
  const laid = request.json.orientation === "convolution" ? weights.toReversed() : weights;
  const { products, sum } = multiply(patch, laid);
  const { cell, factor } = /** @type {Sides} */ (view.sides);
  const layout = { rows, columns, cell, theme };
  const label = `patch, ${rows} by ${columns}`;
  const seen = clip(box, request.picture);
  const edge = seen.height * seen.width < rows * columns ? ", with padding" : "";
  view.patch.replaceChildren(
    numbers({ ...layout, cell: factor, values: patch, scale: isInk ? "pencil" : "light", range: [0, 1], muted: padding, label }),
    make("figcaption", {}, `patch${edge}`),
  );
  const range = shownRange("diverging", extent(products));
  view.products.replaceChildren(
    numbers({ ...layout, values: products, scale: "diverging", range, label: `products, ${rows} by ${columns}` }),
    make("figcaption", {}, "products"),
  );
  view.formula.replaceChildren(...formula(sum, request.json, filter.response.flat(2)[view.places.place]));
}

/**
 * The sum in words, with the steps that it really goes through, held against what the service answered.
 * @type {(sum: number, asked: ApplyCall["json"], served: number) => (string | HTMLElement)[]}
 */
function formula(sum, { filters: [{ bias }], activation }, served) {
  /** @type {(value: number) => HTMLElement} */
  const strong = (value) => make("b", { class: value < 0 ? "minus" : null }, fixed(value, 3));
  const before = sum + bias;
  const words = ["sum ", strong(sum)];
  if (bias) words.push(" + bias ", strong(bias), " = ", strong(before));
  if (activation !== "linear") words.push(`, ${activation} → `, strong(served));
  else if (Math.abs(served - before) >= 1e-3) words.push(`, but the service answered ${short(served)}!`);
  else words.push(make("span", { class: "muted", title: "the service answered the same" }, " ✓"));
  return words;
}
