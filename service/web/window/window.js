// window/ is the view of the sliding window: patches, stride, cropping and padding, a step at a time.

import { networkCall, want } from "../state/api.js";
import { cut, multiply } from "../numbers/arithmetic.js";
import { begun, caption, changes, make, number, select, set, show, write } from "../shared/dom.js";
import { createGrid } from "../shared/grid.js";
import { frame, heatmap, legend, multiplication, paint, resize } from "../shared/heatmap.js";
import { colourTable, extent, fixed, shownRange, short } from "../numbers/scales.js";
import { CAPTIONS, unread } from "../shared/words.js";

/** @import { Theme } from "../numbers/types.d.ts" */
/** @import { Applied, ApplyCall, Call, Entry, Input, Model, Patches, Sliding, Want } from "../state/types.d.ts" */
/** @import { Context, View } from "../shared/types.d.ts" */
/** @import { WindowView } from "./types.d.ts" */

const STEP_MS = 250;
const LANES = "patches sums";
const CELL = 12; // pixels of a pixel
const KERNELS = [
  ["diagonal_falling", "edge along \\"],
  ["diagonal_rising", "edge along /"],
  ["edge_horizontal", "edge across"],
  ["edge_vertical", "edge down"],
  ["box", "mean (box)"],
];
const PADDINGS = [
  ["valid", "crop (valid)"],
  ["same", "pad (same)"],
  ["full", "pad (full)"],
];

/** @type {(root: HTMLElement, context: Context) => View} */
export function create(root, context) {
  /** @type {WindowView} */
  const view = begun({ context, playing: 0, total: 0, isNew: changes(), sheetIsNew: changes() });
  view.change = (patch) => context.set({ sliding: { ...context.store.get().sliding, ...patch } });
  view.kernel = select("Filter", KERNELS, (preset) => view.change({ preset }));
  view.size = number("Patch size", { min: 2, max: 15, value: 7 }, (size) => view.change({ size, place: 0 }));
  view.stride = number("Stride", { min: 1, max: 14, value: 2 }, (stride) => view.change({ stride, place: 0 }));
  view.padding = select("Edge", PADDINGS, (padding) => view.change({ padding, place: 0 }));
  view.scrub = make("input", { type: "range", min: "0", max: "120", value: "0", "aria-label": "Patch" });
  view.scrub.addEventListener("input", () => {
    stop(view);
    view.change({ place: view.scrub.valueAsNumber });
  });
  view.scrub.addEventListener("keydown", (event) => scrubbed(view, event));
  view.play = make("button", { class: "main", onclick: () => (view.playing ? stop(view) : play(view)) }, "Play");
  view.step = make(
    "button",
    {
      onclick: () => {
        stop(view);
        move(view, 1);
      },
    },
    "Step",
  );
  view.count = make("h2", {}, "");
  view.rest = make("p", { class: "muted" }, "");
  const share = context.share("patches", () => context.data.patches?.want.request, ["png", "npz", "json"]);
  root.append(
    make("div", { class: "view-head" }, describe(view), share),
    make(
      "div",
      { class: "controls" },
      view.kernel.field,
      view.size.field,
      view.stride.field,
      view.padding.field,
      view.play,
      view.step,
      make("label", { class: "field grow" }, make("span", {}, "Patch"), view.scrub),
    ),
    make("div", { class: "counts", "data-lane": LANES }, view.count, view.rest),
    buildStage(view),
  );
  return { draw: (model) => draw(view, model), wants: (model) => wants(model) };
}

/** @type {(view: WindowView) => HTMLElement} */
function describe(view) {
  /** @type {(patch: Partial<Sliding>) => () => void} */
  const slide = (patch) => () => view.change({ place: 0, ...patch });
  return caption(
    CAPTIONS.window,
    slide({ size: 7, stride: 2, padding: "valid" }),
    slide({ size: 7, stride: 2, padding: "valid", place: 10 }),
    slide({ size: 7, stride: 2, padding: "same" }),
    slide({ size: 7, stride: 7, padding: "valid" }),
  );
}

/** @type {(model: Model) => Want[]} */
function wants({ state, data, network }) {
  if (!data.input) return [];
  const { preset, size, stride, padding } = state.sliding;
  const { query, ...call } = networkCall("/v1/apply-filters", network, data.input, {});
  return [
    want("patches", {
      method: "POST",
      path: "/v1/patches",
      picture: data.input,
      query: { prepare: "none", patch_size: size, stride, padding },
    }),
    want("sums", { ...call, json: { prepare: query.prepare, filters: [{ preset, size }], stride, padding } }),
  ];
}

/** @type {(view: WindowView) => HTMLElement} */
function buildStage(view) {
  view.picture = heatmap();
  view.window = make("span", { class: "frame" });
  view.edges = make("span", { class: "unread", hidden: true });
  view.edgesBelow = make("span", { class: "unread", hidden: true });
  view.grid = createGrid("sums", {
    move: (row, column) => {
      stop(view);
      view.change({ place: row * view.grid.columns + column });
    },
  });
  view.legend = legend();
  view.sum = make("div", { class: "sum" });
  view.sheet = make("canvas", { class: "heat", "aria-hidden": "true" });
  view.picked = make("figcaption", { class: "muted" }, "");
  return make(
    "div",
    { class: "result", "data-lane": LANES },
    make(
      "div",
      { class: "columns" },
      make(
        "figure",
        { class: "result" },
        make("div", { class: "framed" }, view.picture, view.edges, view.edgesBelow, view.window),
        view.picked,
      ),
      make(
        "figure",
        { class: "result" },
        view.grid.root,
        make("div", { class: "fit" }, view.legend.root),
        make("figcaption", { class: "muted" }, "the sums so far: the feature map"),
      ),
      make("figure", { class: "result" }, view.sheet, make("figcaption", { class: "muted" }, "all patches, apart")),
    ),
    view.sum,
  );
}

// ---- moving ----

/** @type {(view: WindowView, by: number) => void} */
function move(view, by) {
  if (!view.total) return;
  const { place } = view.context.store.get().sliding;
  view.change({ place: (place + by + view.total) % view.total });
}

/** @type {(view: WindowView) => void} */
function play(view) {
  if (!view.total) return;
  const isStill = matchMedia("(prefers-reduced-motion: reduce)").matches;
  write(view.play, "Pause");
  view.playing = setInterval(
    () => {
      const { place } = view.context.store.get().sliding;
      if (place >= view.total - 1) stop(view);
      else move(view, 1);
    },
    isStill ? 2 * STEP_MS : STEP_MS,
  );
}

/** @type {(view: WindowView) => void} */
function stop(view) {
  clearInterval(view.playing || undefined);
  view.playing = 0;
  write(view.play, "Play");
}

/** @type {(view: WindowView, event: KeyboardEvent) => void} */
function scrubbed(view, event) {
  const by = { PageUp: -view.grid.columns, PageDown: view.grid.columns }[event.key];
  if (event.key === " ") (view.playing ? stop : play)(view);
  else if (by && view.total)
    view.change({ place: Math.min(Math.max(view.context.store.get().sliding.place + by, 0), view.total - 1) });
  else return;
  event.preventDefault();
}

// ---- drawing ----

/** @type {(view: WindowView, model: Model) => void} */
function draw(view, { state, data, theme, network }) {
  const { sliding } = state;
  show(view.size, sliding.size);
  show(view.stride, sliding.stride);
  view.kernel.box.value = sliding.preset;
  view.padding.box.value = sliding.padding;
  const sums = data.sums?.answer?.results[0];
  const patches = data.patches?.answer?.results[0];
  if (!data.input || !data.sums || !data.patches || !sums || !patches || !isSame(data.sums, data.patches)) return;
  if (!view.isNew(sums, patches, sliding.place, theme, network)) return;
  drawCounts(view, patches);
  const place = Math.min(sliding.place, view.total - 1);
  drawPicture(view, patches, place, data.patches.want.request.picture, theme);
  drawSums(view, sums, place, theme);
  drawProducts(view, sums, patches, place, theme);
  drawSheet(view, patches, theme);
}

/**
 * Two answers belong together when they are of one picture and one window.
 * @type {(sums: Entry<unknown, ApplyCall>, patches: Entry<unknown, Call<Input>>) => boolean}
 */
function isSame({ want: { request: sums } }, { want: { request: patches } }) {
  const { size } = sums.json.filters[0];
  const { patch_size: patchSize, stride, padding } = patches.query;
  return (
    sums.picture === patches.picture &&
    size === patchSize &&
    sums.json.stride === stride &&
    sums.json.padding === padding
  );
}

/** @type {(view: WindowView, patches: Patches) => void} */
function drawCounts(view, { grid, count, unread: edge, patch_size: [size], stride: [stride], pads }) {
  view.total = count;
  set(view.scrub, "max", count - 1);
  const padded = pads.some(Boolean)
    ? `, ${pads.slice(0, 2).join(" and ")} cells of padding above and left, ${pads.slice(2).join(" and ")} below and right`
    : "";
  write(view.count, `${grid[0]} × ${grid[1]} = ${count} patches of ${size} × ${size}`);
  write(view.rest, `Stride ${stride}: ${unread(edge)}${padded}.`);
}

/**
 * The picture with its padding around it, the edge that is not read, and the window.
 * @type {(view: WindowView, patches: Patches, place: number, input: Input, theme: Theme) => void}
 */
function drawPicture(
  view,
  { pads: [top, left, bottom, right], patch_size: [height, width], corners, unread: edge },
  place,
  input,
  theme,
) {
  const [rows, columns] = [28 + top + bottom, 28 + left + right];
  const { patch } = cut(
    input.unit,
    { rows: 28, columns: 28 },
    { top: -top, left: -left, height: rows, width: columns },
  );
  paint(view.picture, patch, rows, columns, colourTable("pencil", theme), [0, 1]);
  resize(view.picture, columns * CELL, rows * CELL);
  const [y, x] = [corners[place][0] + top, corners[place][1] + left]; // corners count from the picture, not its padding
  frame(view.window, { top: y, left: x, height, width }, rows, columns);
  frame(view.edges, edge[1] ? { top: 0, left: columns - edge[1], height: rows, width: edge[1] } : null, rows, columns);
  frame(
    view.edgesBelow,
    edge[0] ? { top: rows - edge[0], left: 0, height: edge[0], width: columns } : null,
    rows,
    columns,
  );
  write(view.picked, `patch ${place + 1}, its corner at row ${y - top}, column ${x - left}`);
  set(view.scrub, "value", place);
  view.scrub.value = String(place);
  set(view.scrub, "aria-valuetext", `patch ${place + 1} of ${view.total}`);
}

/** @type {(view: WindowView, sums: Applied, place: number, theme: Theme) => void} */
function drawSums(
  view,
  {
    filters: [
      {
        response,
        shape: [rows, columns],
      },
    ],
  },
  place,
  theme,
) {
  const values = response.flat();
  const range = shownRange("diverging", extent(values));
  const shown = Float32Array.from(values, (value, i) => (i <= place ? value : 0));
  paint(view.grid.canvas, shown, rows, columns, colourTable("diverging", theme), range);
  const cell = Math.max(4, Math.floor((28 * CELL) / Math.max(rows, columns)));
  resize(view.grid.canvas, columns * cell, rows * cell);
  const at = [Math.floor(place / columns), place % columns];
  view.grid.mark(rows, columns, at, short(values[place]));
  view.legend.draw("diverging", theme, range, "all of its sums");
}

/** @type {(view: WindowView, sums: Applied, patches: Patches, place: number, theme: Theme) => void} */
function drawProducts(view, { filters: [filter] }, { patches, patch_size: [rows, columns] }, place, theme) {
  const patch = Float32Array.from(patches[place].flat());
  const weights = Float32Array.from(filter.weights.flat());
  const { products, sum } = multiply(patch, weights);
  const cell = Math.max(9, Math.min(24, Math.floor(180 / Math.max(rows, columns))));
  const served = filter.response.flat()[place];
  view.sum.replaceChildren(
    ...multiplication({ patch, weights, products }, { rows, columns, cell, theme }),
    make(
      "p",
      { class: "formula", id: "window-sum" },
      "sum ",
      make("b", { class: sum < 0 ? "minus" : null }, fixed(sum, 3)),
      Math.abs(sum - served) < 1e-3 ? ", as the service computed" : `, but the service says ${short(served)}`,
    ),
  );
}

/**
 * Every patch, with a gap between them, as the lecture draws it.
 * @type {(view: WindowView, patches: Patches, theme: Theme) => void}
 */
function drawSheet(view, { patches, grid: [rows, columns], patch_size: [height, width] }, theme) {
  if (!view.sheetIsNew(patches, theme)) return;
  const [tall, wide] = [rows * (height + 1) - 1, columns * (width + 1) - 1];
  const values = new Float32Array(tall * wide).fill(-1);
  patches.forEach((patch, i) => {
    const [top, left] = [Math.floor(i / columns) * (height + 1), (i % columns) * (width + 1)];
    patch.forEach((row, y) =>
      row.forEach((value, x) => {
        values[(top + y) * wide + left + x] = value;
      }),
    );
  });
  const table = colourTable("pencil", theme).slice();
  const gap = colourTable("diverging", theme)[160];
  const levels = Float32Array.from(values, (value) => (value < 0 ? 0 : Math.max(1, value * 255)));
  table[1] = table[0];
  table[0] = gap;
  paint(view.sheet, levels, tall, wide, table, [0, 255]);
  const scale = Math.max(1, Math.floor((28 * CELL) / Math.max(tall, wide)));
  resize(view.sheet, wide * scale, tall * scale);
}
