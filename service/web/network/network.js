// network/ is the first view: the feature maps of every layer (here), and one cell of one map (dock.js).
//
// The layers stand from left to right, between the picture and the classes (ends.js), or one under the other where there
// is no room.

import { convolutionCell, difference, mapOf } from "../numbers/arithmetic.js";
import { begun, caption, changes, either, make, radios, set, shape, write } from "../shared/dom.js";
import { createEnds, endsWant, endsWidth } from "./ends.js";
import { enter, roving } from "../shared/grid.js";
import { cellAt, heatmap, legend, paint, resize } from "../shared/heatmap.js";
import { colourTable, extent, plainPercent, RANGES, SCALES, shownRange } from "../numbers/scales.js";
import { areAllShown, kindOf, mapsName, SHOWN_MAPS, shownLayers, sourcesOf } from "../state/kind.js";
import { changeOf } from "../state/state.js";
import { mapWants } from "../state/subject.js";
import { CAPTIONS, CAPTIONS_OF_CLASSES, counted } from "../shared/words.js";

/** @import { Layer, Span, Tensor } from "../numbers/types.d.ts" */
/** @import { Arrays, Cell, Data, Input, MapsEntry, Model, Network, State, Weights } from "../state/types.d.ts" */
/** @import { Context, View } from "../shared/types.d.ts" */
/** @import { Fit, LayerView, NetworkView, Tile } from "./types.d.ts" */

const TILES = [72, 60, 48, 40, 32, 26]; // sides of a tile to try in a column, in pixels
const GAP = 4;
const LARGEST = 50; // side up to which a layer may grow, in pixels
const PADDING = 16;
const AROUND = 112; // pixels above and below the maps of a layer, for its name and its legend
const BETWEEN = 28; // from one layer to the next, with its arrow
const EDGES = 10; // strongest inputs that are joined to the map at hand

/** @type {(root: HTMLElement, context: Context) => View} */
export function create(root, context) {
  /** @type {NetworkView} */
  const view = begun({ context, layers: [], size: "", width: 0, linesAreNew: changes() });
  view.strip = make("div", { class: "layers", "data-lane": "maps" });
  view.lines = shape("svg", { class: "lines", "aria-hidden": "true" });
  view.shiftWords = make("p", { class: "muted shifted" });
  view.scale = radios("Colours", "scale", SCALES, (scale) => context.set({ scale }));
  view.range = radios("Range", "range", RANGES, (range) => context.set({ range }));
  view.stage = radios(
    "Maps",
    "before",
    [
      ["", "after activation"],
      ["1", "before"],
    ],
    (value) => context.set({ before: value === "1" }),
  );
  view.chosen = make("div", { hidden: true });
  const takes = [
    { name: "feature maps", record: () => context.data.maps?.want.request, formats: ["png", "npz", "json"] },
  ];
  view.captions = [describe(context, CAPTIONS.network), describe(context, CAPTIONS_OF_CLASSES.network)];
  ["of-digits", "of-classes"].forEach((name, i) => view.captions[i].classList.add(name));
  root.append(
    ...view.captions,
    make(
      "div",
      { class: "controls after" },
      view.scale.field,
      view.range.field,
      view.stage.field,
      view.chosen,
      compass(context),
      view.shiftWords,
    ),
    make("div", { class: "scroll" }, make("div", { class: "framed wide" }, view.strip, view.lines)),
  );
  view.root = root;
  new ResizeObserver(([{ contentRect }]) => {
    view.width = Math.floor(contentRect.width);
    view.height = Math.floor(contentRect.height);
    context.redraw();
  }).observe(root);
  return { draw: (model) => draw(view, model), wants: (model) => [...mapWants(model), ...endsWant(model)], takes };
}

/** @type {(context: Context, words: string) => HTMLElement} */
function describe(context, words) {
  const strongest = () => {
    const at = context.strongest();
    if (at) context.set({ at, pinned: true });
  };
  return caption(
    words,
    strongest,
    () => context.set({ before: true, scale: "diverging" }),
    () => context.set({ shift: [1, 0] }),
  );
}

/** @type {(context: Context) => HTMLElement} */
function compass({ set: change, store }) {
  /** @type {(right: number, down: number) => () => void} */
  const by = (right, down) => () => {
    const [x, y] = store.get().shift;
    change({ shift: [x + right, y + down].map((value) => Math.min(Math.max(value, -6), 6)) });
  };
  /** @type {(name: string, sign: string, act: () => void) => HTMLElement} */
  const button = (name, sign, act) => make("button", { "aria-label": name, onclick: act }, sign);
  return make(
    "fieldset",
    { class: "field" },
    make("legend", { class: "muted" }, "Shift the ", either("digit", "picture")),
    make(
      "div",
      { class: "compass" },
      button("Shift left", "◂", by(-1, 0)),
      button("Shift up", "▴", by(0, -1)),
      button("Back to the middle", "·", () => change({ shift: [0, 0] })),
      button("Shift down", "▾", by(0, 1)),
      button("Shift right", "▸", by(1, 0)),
    ),
  );
}

/** @type {(view: NetworkView, network: Network, chosen: string) => void} */
function build(view, network, chosen) {
  if (view.network !== network) view.ends = createEnds(view.context, network);
  set(view.chosen, "hidden", areAllShown(network));
  Object.assign(view, { network, layer: chosen });
  view.size = ""; // new tiles have no size yet
  view.strip.replaceChildren();
  view.layers = shownLayers(network, chosen).map((layer) => buildLayer(view, layer));
  const columns = [view.ends.picture, ...view.layers.map(({ root }) => root), view.ends.classes];
  columns.forEach((column, i) => {
    if (i) view.strip.append(make("span", { class: "arrow", "aria-hidden": "true" }, "▸"));
    view.strip.append(column);
  });
}

/**
 * The choice of a layer, for a network with more than there is room for.
 * @type {(view: NetworkView, network: Network, state: State) => Promise<void>}
 */
async function drawChoice(view, network, state) {
  const { createLayerChoice } = await import("../shared/layers.js");
  view.choice ??= createLayerChoice(view.context, view.chosen);
  view.choice.draw(network, state);
}

/** @type {(view: NetworkView, info: Layer) => LayerView} */
function buildLayer(view, info) {
  const [count, rows, columns] = info.shape;
  const shown = view.context.network().calls ? Math.min(count, SHOWN_MAPS) : count;
  const tiles = Array.from({ length: shown }, (_, filter) => buildTile(view, { info, rows, columns }, filter));
  const buttons = tiles.map(({ button }) => button);
  const label = `${info.name}: ${counted(count, "map")} of ${rows} by ${columns}`;
  const maps = make("div", { class: "maps", role: "group", "aria-label": label }, buttons);
  enter(buttons, buttons[0]);
  roving(maps, () => layer.across || 1);
  const title = make(
    "h2",
    { title: counted(info.parameters, "parameter") },
    info.name,
    make("small", {}, whatOf(info)),
    make("small", {}, shown < count ? `${shown} of ${count}, each ${rows} × ${columns}` : `each ${rows} × ${columns}`),
  );
  const strip = legend();
  const root = make("div", { class: "layer" }, title, maps, strip.root);
  /** @type {LayerView} */
  const layer = { info, rows, columns, isNew: changes(), legend: strip, tiles, maps, root };
  return layer;
}

/**
 * What a layer does, in a few words.
 * @type {(layer: Layer) => string}
 */
function whatOf({ op, shape: [count], kernel, reads = [] }) {
  if (op === "conv") return `${counted(count, "filter")} ${kernel.join("×")}`;
  if (op === "maxpool") return `max of ${kernel.join("×")}`;
  if (op.endsWith("pool")) return `mean of ${kernel.join("×")}`;
  const words = /** @type {Record<string, string>} */ ({ add: "sum of", mul: "product of", concat: "maps of" });
  return `${words[op] ?? `${op} of`} ${reads.length > 2 ? `${reads.length} layers` : reads.join(", ")}`;
}

/** @type {(view: NetworkView, layer: { info: Layer, rows: number, columns: number }, filter: number) => Tile} */
function buildTile(view, { info, rows, columns }, filter) {
  const { context } = view;
  const canvas = heatmap();
  const button = make("button", { class: "map", "aria-label": `${info.name}, filter ${filter}` }, canvas);
  /** @type {(place: number[]) => Cell} */
  const at = ([row, column]) => ({ layer: info.name, filter, row, column });
  const best = () => context.peak(info.name, filter);
  button.addEventListener("pointermove", (event) => context.hover(at(cellAt(canvas, event, rows, columns))));
  button.addEventListener("focus", () => {
    if (button.matches(":focus-visible")) context.hover(at(best()));
  });
  button.addEventListener("click", (event) => {
    const isKey = event.detail === 0;
    context.pin(at(isKey ? best() : cellAt(canvas, event, rows, columns)), isKey);
  });
  return { button, canvas };
}

/** @type {(view: NetworkView, model: Model) => void} */
function draw(view, model) {
  const { state, network } = model;
  if (view.network !== network || view.layer !== state.layer) build(view, network, state.layer);
  if (!areAllShown(network)) drawChoice(view, network, state);
  view.scale.choose(state.scale);
  view.range.choose(state.range);
  view.stage.choose(state.before ? "1" : "");
  layOut(view);
  for (const layer of view.layers) drawLayer(layer, model);
  view.ends.draw(model);
  drawLines(view, model);
  write(view.shiftWords, shiftWords(model));
}

/**
 * Columns from left to right where they fit, else a row per layer.
 * @type {(view: NetworkView) => void}
 */
function layOut(view) {
  const { width, root } = view;
  // Where the view scrolls by itself, its dock is beside it and all maps can be in sight at once.
  const isPane = getComputedStyle(root).overflowY === "auto";
  const height = isPane ? root.clientHeight : innerHeight;
  const size = `${width} ${height} ${devicePixelRatio}`;
  if (size === view.size || !width) return;
  view.size = size;
  const { isDigits: isOfDigits } = kindOf(view.context.network());
  // From the caption on: a sentence that comes and goes above it is not to change the sizes of the maps.
  const above = view.strip.getBoundingClientRect().top - view.captions[isOfDigits ? 0 : 1].getBoundingClientRect().top + PADDING;
  const room = Math.max(height - AROUND - (isPane ? above : 100), 160);
  const sides = view.layers.map(({ rows, columns }) => Math.max(rows, columns));
  const found = fitting(view, sides, width, room);
  view.isWide = Boolean(found);
  view.strip.classList.toggle("rows", !found);
  view.layers.forEach((layer, i) => {
    const side = found ? found.chosen[i] : tileSide(sides[i], width > 500 ? 48 : 72);
    layer.across = found ? found.across[i] : columnsOf(layer, side, width);
    layer.maps.style.gridTemplateColumns = `repeat(${layer.across}, max-content)`;
    for (const { canvas } of layer.tiles)
      resize(canvas, side * (layer.columns / sides[i]), side * (layer.rows / sides[i]));
  });
}

/**
 * The largest tiles with which all layers stand within the width, each as deep as the height allows; null where there
 * are none.
 * @type {(view: NetworkView, sides: number[], width: number, room: number) => Fit | null}
 */
function fitting(view, sides, width, room) {
  const counts = view.layers.map(({ tiles }) => tiles.length);
  const ends = endsWidth(view.context.network());
  // In sight side by side, or else a little to scroll: a row per layer would be much more.
  for (const deep of [room, 1.5 * room, 2 * room]) {
    for (const tile of TILES) {
      const chosen = sides.map((side) => tileSide(side, tile));
      const across = chosen.map((side, i) => acrossOf(counts[i], side, deep));
      const wide = chosen.map((side, i) => columnWidth(across[i], side));
      const total = wide.reduce((sum, each) => sum + each, ends + (sides.length + 1) * BETWEEN);
      if (total <= width) return enlarged({ sides, counts, chosen, across }, width - total, deep);
    }
  }
  return null;
}

// As many side by side as it takes for none to be out of sight.
/** @type {(count: number, side: number, room: number) => number} */
function acrossOf(count, side, room) {
  return Math.ceil(count / Math.max(1, Math.floor(room / (side + 2 + GAP))));
}

/**
 * The width that is left goes to the layers with small cells, the first ones first.
 * @type {(fit: Fit & { sides: number[], counts: number[] }, left: number, room: number) => Fit}
 */
function enlarged({ sides, counts, chosen, across }, left, room) {
  const larger = chosen.map((size, i) => {
    const side = size + sides[i];
    const more = acrossOf(counts[i], side, room);
    const cost = columnWidth(more, side) - columnWidth(across[i], size);
    if (side > LARGEST || cost > left) return { side: size, across: across[i] };
    left -= cost;
    return { side, across: more };
  });
  return { chosen: larger.map(({ side }) => side), across: larger.map((each) => each.across) };
}

// On a phone a layer has two rows of maps, and scrolls sideways.
/** @type {(layer: LayerView, side: number, width: number) => number} */
function columnsOf(layer, side, width) {
  if (width > 500) return Math.max(1, Math.floor(width / (side + 2 + GAP)));
  return Math.ceil(layer.tiles.length / 2);
}

// As wide as its maps, and its legend.
/** @type {(across: number, side: number) => number} */
function columnWidth(across, side) {
  return Math.max(88, across * (side + 2 + GAP));
}

// A cell has whole device pixels, so that all cells of a map look alike. A map with more cells than the largest tile has
// pixels is made smaller.
/** @type {(side: number, wished: number) => number} */
function tileSide(side, wished) {
  if (side > TILES[0]) return wished;
  const ratio = Math.max(1, Math.floor(devicePixelRatio));
  return side * Math.max(1, Math.floor((wished / side) * ratio) / ratio);
}

/** @type {(layer: LayerView, model: Model) => void} */
function drawLayer(layer, model) {
  const { state, data, theme } = model;
  const { info } = layer;
  const isBefore = state.before && info.maps[0].endsWith(".pre");
  const maps = data.maps?.arrays[isBefore ? `${info.name}.pre` : mapsName(info)];
  const marked = data.maps ? state.at && `${state.at.layer}/${state.at.filter}/${state.pinned}` : "";
  if (!layer.isNew(maps, state.scale, state.range, theme, marked, state.changes)) return;
  layer.root.classList.toggle("unanswered", !maps);
  const table = colourTable(state.scale, theme);
  layer.tiles.forEach(({ button, canvas }, filter) => {
    const isCurrent = state.at?.layer === info.name && state.at.filter === filter;
    const isChanged = changeOf(state.changes, info.name, filter);
    set(
      button,
      "class",
      `map${isCurrent ? " current" : ""}${isCurrent && state.pinned ? " pinned" : ""}${isChanged ? " changed" : ""}`,
    );
    canvas.classList.toggle("hatched", !maps);
    if (maps)
      paint(
        canvas,
        maps.data,
        layer.rows,
        layer.columns,
        table,
        rangeOf(layer, maps, filter, state, data),
        mapOf(maps, filter).start,
      );
  });
  if (maps) drawLegend(layer, maps, model);
}

/** @type {(layer: LayerView, maps: Tensor, filter: number, state: State, data: Data) => Span} */
function rangeOf(layer, maps, filter, state, data) {
  if (state.range === "fixed" && data.fixed?.[layer.info.name])
    return shownRange(state.scale, data.fixed[layer.info.name]);
  const { rows, columns, start } = mapOf(maps, filter);
  const span = state.range === "map" ? extent(maps.data, start, start + rows * columns) : extent(maps.data);
  return shownRange(state.scale, span);
}

/** @type {(layer: LayerView, maps: Tensor, model: Model) => void} */
function drawLegend(layer, maps, { state, data, theme }) {
  const isFixed = state.range === "fixed" && data.fixed?.[layer.info.name];
  const filter = state.at?.layer === layer.info.name ? state.at.filter : 0;
  const words = isFixed
    ? "the most seen so far"
    : state.range === "map"
      ? `each its own (map ${filter})`
      : "this layer";
  layer.legend.draw(state.scale, theme, rangeOf(layer, maps, filter, state, data), words);
}

/**
 * Join the map at hand with the maps that gave most to its cell, and the class at hand with the filters that did.
 * @type {(view: NetworkView, model: Model) => void}
 */
function drawLines(view, { state, data, weights, network }) {
  const { lines, strip, ends } = view;
  const { at } = state;
  const label = ends.label();
  if (!view.linesAreNew(at, data.maps, data.ends, label, at && weights[at.layer], view.size, view.isWide)) return;
  lines.replaceChildren();
  if (!view.isWide || !data.maps) return;
  const box = strip.getBoundingClientRect();
  set(lines, "viewBox", `0 0 ${box.width} ${box.height}`);
  const here = view.layers.find(({ info }) => info.name === at?.layer);
  const end = at && here?.tiles[at.filter]?.button;
  if (at && here && end) {
    const sources = sourcesOf(network, here.info);
    if (!sources.length) join(lines, box, ends.canvas, end, 1);
    for (const source of sources) {
      const tiles = view.layers.find(({ info }) => info === source)?.tiles ?? [];
      for (const { channel, share } of inputsOf(here.info, source, at, data.maps.arrays, weights))
        if (tiles[channel]) join(lines, box, tiles[channel].button, end, share);
    }
  }
  const row = ends.row();
  for (const { layer, filter, share } of row ? ends.shares(EDGES) : []) {
    const found = view.layers.find(({ info }) => info.name === layer);
    const last = view.layers.at(-1); // where maps are pooled at last, the line begins there
    const from = last?.tiles.length === found?.tiles.length ? last : found;
    if (from?.tiles[filter]) join(lines, box, from.tiles[filter].button, /** @type {HTMLElement} */ (row), share);
  }
}

/** @type {(lines: SVGElement, box: DOMRect, from: Element, to: Element, share: number) => void} */
function join(lines, box, from, to, share) {
  const [start, end] = [from.getBoundingClientRect(), to.getBoundingClientRect()];
  const [x1, y1] = [start.right - box.left, start.top + start.height / 2 - box.top];
  const [x2, y2] = [end.left - box.left, end.top + end.height / 2 - box.top];
  const bend = (x2 - x1) / 2;
  lines.append(
    shape("path", {
      d: `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`,
      class: share < 0 ? "against" : "for",
      "stroke-width": 1 + 4 * Math.abs(share),
    }),
  );
}

/**
 * The maps of a source that gave most to a cell, as shares of the greatest.
 * @type {(info: Layer, source: Layer, at: Cell, arrays: Arrays, weights: Weights) => { channel: number,
 *   share: number }[]}
 */
function inputsOf(info, source, at, arrays, weights) {
  if (info.op === "concat") return [];
  if (info.op !== "conv") return [{ channel: at.filter, share: 1 }];
  const input = arrays[mapsName(source)];
  const known = weights[info.name];
  if (!input || !known) return [];
  const { parts } = convolutionCell(info, at.filter, at.row, at.column, input, known.weights, known.biases);
  const most = Math.max(...parts.map(({ sum }) => Math.abs(sum))) || 1;
  const strongest = parts
    .filter(({ sum }) => sum !== 0)
    .sort((a, b) => Math.abs(b.sum) - Math.abs(a.sum))
    .slice(0, EDGES);
  return strongest.map(({ channel, sum }) => ({ channel, share: sum / most }));
}

/**
 * What the shift changed, once the maps of both pictures are there.
 * @type {(model: Model) => string}
 */
function shiftWords({ data }) {
  /** @type {(entry: MapsEntry | null | undefined, picture: Input | null) => Arrays | null} */
  const mapsOf = (entry, picture) => (entry?.want.request.picture === picture ? (entry?.arrays ?? null) : null);
  const [before, after] = [mapsOf(data.base_maps, data.base), mapsOf(data.maps, data.input)];
  if (data.input === data.base || !before || !after) return "";
  const names = Object.keys(before).filter((name) => after[name] && name !== "logits" && !name.endsWith(".pre"));
  const parts = names.map(
    (name) => `${name.replace(".act", "")} ${plainPercent(difference(before[name].data, after[name].data))}`,
  );
  const logits = before.logits && after.logits ? `, logits ${plainPercent(difference(before.logits.data, after.logits.data))}` : "";
  return `Change of each layer, as a share of what it was: ${parts.join(", ")}${logits}.`;
}
