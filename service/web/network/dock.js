// The dock: one cell of one map, and the sum behind it.

import { clip, convolutionCell, fieldOf, formed, mapOf, poolCell } from "../numbers/arithmetic.js";
import { begun, changes, make, set, write } from "../shared/dom.js";
import { createGrid } from "../shared/grid.js";
import { frame, heatmap, multiplication, numbers, paint, paintPicture, resize } from "../shared/heatmap.js";
import { colourTable, extent, fixed, shownRange, short, signed } from "../numbers/scales.js";
import { kindOf, mapsName, MOST_WEIGHTS, sourcesOf } from "../state/kind.js";
import { changeOf, isOff, toggled } from "../state/state.js";
import { counted, countedIn, refusal } from "../shared/words.js";

/** @import { Filters, Layer, Part, Tensor, Theme } from "../numbers/types.d.ts" */
/** @import { Cell, MapsEntry, Model, State } from "../state/types.d.ts" */
/** @import { Context } from "../shared/types.d.ts" */
/** @import { Dock } from "./types.d.ts" */

// The side of its pictures in pixels: from the back row the numbers of a filter must be readable.
/** @type {(state: State) => number} */
const sideOf = ({ big }) => (big ? 220 : document.documentElement.clientWidth < 1120 ? 112 : 140);
const STRONGEST = 2;
const TOO_LARGE = "The filters of this layer are too many numbers to be written out.";
const TODO = "Point at a map. The sum behind its cell is then here.";

// What arithmetic.js knows to compute of a sum; of other activations the service's answer is told.
/** @type {(layer: Layer) => boolean} */
const isComputed = ({ activation }) => ["linear", "relu", "tanh"].includes(activation);

/** @type {(layer: Layer | undefined) => boolean} */
const isTooLarge = (layer) => (layer?.parameters ?? 0) > MOST_WEIGHTS;

/** @type {(root: HTMLElement, context: Context) => { draw(model: Model): void, focus(): void }} */
export function createDock(root, context) {
  /** @type {Dock} */
  const dock = begun({ root, context, isNew: changes() });
  dock.title = make("h2", {}, "");
  dock.pin = make("button", { onclick: () => context.set({ pinned: !context.store.get().pinned }) }, "Pin");
  dock.edit = make("button", { onclick: () => withCell(context, context.editFilter) }, "Edit this filter");
  dock.off = make("button", { onclick: () => toggle(context) }, "Switch off");
  dock.grid = createGrid("cells", {
    move: (row, column) => withCell(context, (at) => context.hover({ ...at, row, column }, true)),
    pin: (row, column) => withCell(context, (at) => context.pin({ ...at, row, column })),
    page: (step) => turn(context, step),
    leave: () => context.leave(),
  });
  dock.mapName = make("figcaption", {}, "");
  dock.picture = heatmap();
  dock.field = make("span", { class: "frame" });
  dock.fieldName = make("figcaption", {}, "");
  dock.work = make("div", { class: "sum" });
  dock.formula = make("p", { class: "formula", id: "sum" });
  const side = sideOf(context.store.get());
  for (const canvas of [dock.grid.canvas, dock.picture]) resize(canvas, side, side);
  dock.todo = make("p", { class: "todo muted" }, TODO);
  root.append(
    dock.todo,
    make("figure", {}, dock.grid.root, dock.mapName),
    make("figure", {}, make("div", { class: "framed" }, dock.picture, dock.field), dock.fieldName),
    make(
      "div",
      { class: "result" },
      make("div", { class: "dock-head" }, dock.title, dock.pin, dock.edit, dock.off),
      dock.work,
      dock.formula,
    ),
  );
  return { draw: (model) => draw(dock, model), focus: () => dock.grid.root.focus() };
}

/**
 * Do something with the cell that the dock explains, if there is one.
 * @type {(context: Context, act: (at: Cell) => void) => void}
 */
function withCell({ store }, act) {
  const { at } = store.get();
  if (at) act(at);
}

/** @type {(context: Context) => void} */
function toggle(context) {
  withCell(context, ({ layer, filter }) => {
    context.set({ changes: toggled(context.store.get().changes, layer, filter) });
  });
}

/** @type {(context: Context, step: number) => void} */
function turn(context, step) {
  withCell(context, (at) => {
    const count = context.layer(at.layer)?.shape[0] ?? 1;
    context.hover({ ...at, filter: (at.filter + step + count) % count }, true);
  });
}

/** @type {(dock: Dock, model: Model) => void} */
function draw(dock, model) {
  const { state, data, network, theme, weights } = model;
  const at = state.at;
  const layer = network.layers.find(({ name }) => name === at?.layer);
  const map = layer && data.maps?.arrays[mapsName(layer)];
  dock.root.classList.toggle("open", state.pinned);
  const isKnown = layer?.op !== "conv" || Boolean(weights[layer.name]);
  const { error } = dock.context.lanes.standing(`weights/${layer?.name}`);
  write(dock.todo, !map ? TODO : error ? refusal(error) : isTooLarge(layer) ? TOO_LARGE : "The filter has not come yet.");
  set(dock.todo, "hidden", Boolean(map) && isKnown);
  if (!at || !layer || !data.maps || !map || state.view !== "network") return;
  if (!dock.isNew(at, state.pinned, data.maps, weights[at.layer], theme, state.scale, state.changes, state.big))
    return;
  dock.side = sideOf(state);
  const { width, height } = data.maps.want.request.picture;
  const scale = dock.side / Math.max(width, height);
  resize(dock.picture, width * scale, height * scale);
  write(dock.title, `${layer.name}, filter ${at.filter}, row ${at.row}, column ${at.column}`);
  write(dock.pin, state.pinned ? "Unpin" : "Pin");
  set(dock.pin, "aria-pressed", String(state.pinned));
  drawFilterTools(dock, layer, at, state);
  drawMap(dock, at, map, state, theme);
  drawPicture(dock, layer, at, data.maps, theme);
  drawWork(dock, layer, at, data.maps, model);
}

/** @type {(dock: Dock, layer: Layer, at: Cell, state: State) => void} */
function drawFilterTools(dock, layer, at, { changes: made }) {
  const isConvolution = layer.op === "conv";
  set(dock.edit, "hidden", !isConvolution || layer.in_shape[0] !== (layer.groups ?? 1));
  set(dock.off, "hidden", !isConvolution);
  write(dock.off, isOff(made, at.layer, at.filter) ? "Switch on" : "Switch off");
}

/** @type {(dock: Dock, at: Cell, map: Tensor, state: State, theme: Theme) => void} */
function drawMap(dock, at, map, state, theme) {
  const { rows, columns, start } = mapOf(map, at.filter);
  const range = shownRange(state.scale, extent(map.data, start, start + rows * columns));
  paint(dock.grid.canvas, map.data, rows, columns, colourTable(state.scale, theme), range, start);
  const longer = Math.max(rows, columns);
  const cell = longer > dock.side ? dock.side / longer : Math.max(1, Math.floor(dock.side / longer));
  resize(dock.grid.canvas, columns * cell, rows * cell);
  const value = map.data[start + at.row * columns + at.column];
  dock.grid.name(`${at.layer}, filter ${at.filter}, cells`);
  dock.grid.mark(rows, columns, [at.row, at.column], short(value));
  write(dock.mapName, `its map: ${short(value)} here`);
}

/** @type {(dock: Dock, layer: Layer, at: Cell, maps: MapsEntry, theme: Theme) => void} */
function drawPicture(dock, layer, at, maps, theme) {
  const { picture } = maps.want.request;
  paintPicture(dock.picture, picture, theme);
  const box = clip(fieldOf(layer, at.row, at.column), picture);
  frame(dock.field, box, picture.height, picture.width);
  write(dock.fieldName, `sees ${countedIn([box.height, box.width], "pixel")}`);
}

/** @type {(dock: Dock, layer: Layer, at: Cell, maps: MapsEntry, model: Model) => void} */
function drawWork(dock, layer, at, maps, model) {
  const input = inputOf(layer, maps, model);
  const known = model.weights[layer.name];
  dock.work.replaceChildren();
  write(dock.formula, "");
  if (layer.op.endsWith("pool") && input) drawPool(dock, layer, at, input, maps, model);
  else if (layer.op !== "conv") drawJoint(dock, layer, at, maps, model);
  else if (!input) write(dock.formula, "What it reads is not among the layers that are shown.");
  else if (known) drawConvolution(dock, layer, at, input, known, maps, model);
}

/**
 * A cell of what is made of other layers' cells at the same place: their sum, their product, or one of theirs.
 * @type {(dock: Dock, layer: Layer, at: Cell, maps: MapsEntry, model: Model) => void}
 */
function drawJoint(dock, layer, at, { arrays }, { network }) {
  const value = valueAt(arrays[layer.name], at) ?? 0;
  let first = 0;
  const words = sourcesOf(network, layer).flatMap((source) => {
    const filter = layer.op === "concat" ? at.filter - first : at.filter;
    const [count, rows, columns] = source.shape;
    first += count;
    if (filter < 0 || filter >= count) return [];
    const place = rows * columns === 1 ? { ...at, filter, row: 0, column: 0 } : { ...at, filter };
    const found = valueAt(arrays[mapsName(source)], place);
    return [`${source.name}/${filter}${found === null ? "" : ` ${short(found)}`}`];
  });
  const sign = { add: " + ", mul: " × " }[/** @type {string} */ (layer.op)] ?? ", ";
  const from = words.length === 1 ? `of ${words[0]}` : words.join(sign);
  dock.formula.replaceChildren(`${layer.op}: ${from}${words.length > 1 ? " = " : " → "}`, strong(value));
}

/**
 * What a layer reads: the maps before it, if they are shown, or the picture.
 * @type {(layer: Layer, maps: MapsEntry, model: Model) => Tensor | undefined}
 */
function inputOf(layer, { arrays, want: { request } }, { network }) {
  const [before] = sourcesOf(network, layer);
  if (before) return arrays[mapsName(before)];
  const { channels, width, height } = kindOf(network).form;
  const { unit } = request.picture;
  const { numbers: form } = network.passport;
  return { shape: [channels, height, width], data: form ? formed(unit, width * height, form) : unit };
}

/**
 * @type {(dock: Dock, layer: Layer, at: Cell, input: Tensor, known: Filters, maps: MapsEntry, model: Model) => void}
 */
function drawConvolution(dock, layer, at, input, known, { arrays }, { state, theme }) {
  const change = changeOf(state.changes, at.layer, at.filter);
  const cell = convolutionCell(layer, at.filter, at.row, at.column, input, known.weights, known.biases);
  // The strongest, but all where one would be left: it takes the place of the words that stand for it.
  const parts =
    cell.parts.length <= STRONGEST + 1
      ? cell.parts
      : [...cell.parts].sort((a, b) => Math.abs(b.sum) - Math.abs(a.sum)).slice(0, STRONGEST);
  const rest = cell.sum - parts.reduce((sum, part) => sum + part.sum, 0);
  dock.work.replaceChildren(...parts.map((part) => writtenOut(part, layer, cell.parts.length, dock, theme)));
  const after = isComputed(layer) ? cell.after : (valueAt(arrays[mapsName(layer)], at) ?? NaN);
  const others = cell.parts.length - parts.length;
  if (others > 0) dock.work.append(make("p", {}, `${counted(others, "other channel")}: ${signed(rest)}`));
  const served = valueAt(arrays[`${layer.name}.pre`], at);
  const words = [
    "sum ",
    strong(cell.sum),
    " + bias ",
    strong(cell.bias),
    " = ",
    strong(cell.before),
    layer.activation === "linear" ? "" : `, ${layer.activation} → ${short(after)}`,
  ];
  if (change) words.push(". This filter is changed: the sum is of the learnt one.");
  else if (served !== null)
    words.push(servedWords(served, cell.before, Boolean(dock.context.network().calls)));
  dock.formula.replaceChildren(...words);
}

/**
 * Whether the service computed the same. An adopted network may do to the numbers before a layer what is no layer.
 * @type {(served: number, before: number, isAdopted: boolean) => string}
 */
function servedWords(served, before, isAdopted) {
  if (Math.abs(served - before) < 1e-3 * (isAdopted ? Math.max(1, Math.abs(served)) : 1)) return ", as the service computed.";
  if (isAdopted) return `. The service answered ${short(served)}: before this layer, the network changes the numbers in a way that is not shown.`;
  return ` but the service answered ${short(served)}!`;
}

/** @type {(value: number) => HTMLElement} */
function strong(value) {
  return make("b", { class: value < 0 ? "minus" : null }, fixed(value, 3));
}

/** @type {(part: Part, layer: Layer, channels: number, dock: Dock, theme: Theme) => HTMLElement} */
function writtenOut(part, layer, channels, { side, work, context }, theme) {
  const { isInk } = kindOf(context.network()).form;
  const [rows, columns] = layer.kernel;
  const isOnly = channels === 1;
  // No wider than its place: a drawing that is made smaller has smaller numbers, too.
  const most = Math.floor((work.clientWidth - 90) / ((isOnly ? 3 : 2) * columns));
  const room = isOnly ? side - 20 : side / 2;
  const cell = Math.max(8, Math.min(44, most, Math.floor(room / Math.max(rows, columns))));
  const layout = { rows, columns, cell, theme };
  if (isOnly && isInk) return make("div", { class: "sum" }, multiplication(part, layout));
  const range = shownRange("diverging", extent(part.patch));
  const shown = { range, scale: /** @type {const} */ ("diverging"), label: isOnly ? "patch" : `channel ${part.channel}` };
  if (isOnly) return make("div", { class: "sum" }, multiplication(part, layout, shown));
  const factors = multiplication({ ...part, products: null }, layout, shown);
  return make("div", { class: "sum" }, factors, make("span", { class: "formula" }, strong(part.sum)));
}

/** @type {(dock: Dock, layer: Layer, at: Cell, input: Tensor, maps: MapsEntry, model: Model) => void} */
function drawPool(dock, layer, at, input, { arrays }, { theme }) {
  const cell = poolCell(layer, at.filter, at.row, at.column, input);
  const { patch, padding, winner } = cell;
  const [rows, columns] = layer.kernel;
  const isMax = layer.op === "maxpool";
  // Whether padding counts in a mean is the network's own.
  const value = isMax || !padding.size ? cell.value : (valueAt(arrays[layer.name], at) ?? cell.value);
  const shown = patch.map((each) => (Number.isFinite(each) ? each : 0));
  const picture = numbers({
    values: shown,
    rows,
    columns,
    cell: Math.max(4, Math.min(44, Math.floor(220 / Math.max(rows, columns)))),
    scale: "diverging",
    theme,
    range: shownRange("diverging", extent(shown)),
    label: `window, ${rows} by ${columns}`,
    marks: isMax ? new Set([winner]) : null,
    muted: padding,
  });
  dock.work.replaceChildren(make("figure", {}, picture, make("figcaption", {}, "window")));
  const place = `row ${Math.floor(winner / columns)}, column ${winner % columns} of the window`;
  dock.formula.replaceChildren(
    ...(isMax ? ["the largest wins: ", strong(value), `, at ${place}`] : ["their mean: ", strong(value)]),
  );
}

/** @type {(maps: Tensor | undefined, at: Cell) => number | null} */
function valueAt(maps, at) {
  if (!maps) return null;
  const { columns, start } = mapOf(maps, at.filter);
  return maps.data[start + at.row * columns + at.column];
}
