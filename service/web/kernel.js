// Your filter: a kernel to paint or type, its answer to the picture, and its place in the network.

import { networkCall, want } from "./api.js";
import { clip, cut, multiply } from "./arithmetic.js";
import { changes, choice, make, number, radios, select, set, write } from "./dom.js";
import { createGrid } from "./grid.js";
import { frame, heatmap, legend, numbers, paint, resize } from "./heatmap.js";
import { createEditor, exact, reshaped } from "./editor.js";
import { colourTable, extent, fixed, percent, shownRange, short } from "./scales.js";
import { changeOf, numberOf, weightsOf, withChange } from "./state.js";
import { refusal } from "./words.js";

const SIDE = 252;
const ACTIVATIONS = ["linear", "relu", "tanh", "sigmoid", "abs"];
const PADDINGS = [["valid", "valid (crop)"], ["same", "same (pad)"], ["full", "full"]];

export function create(root, context) {
  const view = { root, context, at: null, presetAsked: null, isNew: changes(), presetIsNew: changes() };
  view.editKernel = (patch) => editKernel(view, patch);
  view.setResponse = (patch) => context.set({ response: { ...context.store.get().response, ...patch } });
  view.editor = createEditor(view.editKernel);
  root.append(
    make("div", { class: "view-head" }, caption(view), context.share("response", () => context.data.response?.want.request, ["png", "npz", "json"])),
    make("div", { class: "columns bench" }, make("div", { class: "result bench-left" }, buildEditor(view), buildSlot(view)), buildResult(view)),
  );
  return { draw: (model) => draw(view, model), wants: (model) => wants(view, model), take: (layer, filter) => take(view, layer, filter) };
}

function caption(view) {
  const link = (words, act) => make("button", { class: "link", onclick: act }, words);
  const preset = (name) => () => askPreset(view, { name });
  return make(
    "p", { class: "caption" },
    "Paint the cells, or type numbers into them; the answer on your digit follows. Try ", link("the lecture’s diagonal edge", preset("diagonal_falling")),
    ", ", link("a blur", preset("gaussian")), ", or ", link("a filter the network learnt", () => take(view, view.context.network().layers[0].name, 0)), ", and put it into the network.",
  );
}

// ---- asking ----

function wants(view, { state, data, network }) {
  const list = [want("presets", { path: "/v1/filters" })];
  if (view.presetAsked) {
    const { name, ...query } = view.presetAsked;
    list.push(want("preset", { path: `/v1/filters/${name}`, query }));
  }
  if (!data.input) return list;
  const call = responseCall(network, data.input, state);
  list.push(want("response", call));
  if (state.response.pool > 0) {
    for (const kind of ["max", "avg"]) list.push(want(`pool-${kind}`, { ...call, json: { ...call.json, pool: { kind, size: state.response.pool } } }));
  }
  return list;
}

function responseCall(network, picture, { kernel, response }) {
  const { query, ...call } = networkCall("/v1/apply-filters", network, picture, {});
  const json = {
    prepare: query.prepare, filters: [{ name: "yours", weights: weightsOf(kernel), bias: numberOf(kernel.bias) }],
    stride: response.stride, padding: response.padding, activation: response.activation,
  };
  if (response.flip) json.orientation = "convolution";
  return { ...call, json };
}

function askPreset(view, asked) {
  view.presetAsked = asked;
  view.context.redraw();
}

/** Take a learnt filter into the editor, and aim at its place in the network. */
function take(view, layer, filter) {
  const known = view.context.weights[layer];
  if (!known) return;
  const [, channels, rows, columns] = known.weights.shape;
  const start = filter * channels * rows * columns;
  view.presetAsked = null;
  const cells = Array.from(known.weights.data.slice(start, start + rows * columns), exact);
  view.context.set({ slot: { layer, filter } });
  view.editKernel({ rows, columns, cells, bias: exact(known.biases.data[filter]) });
}

/** Change the kernel; while it stands in the network, its place there follows. */
function editKernel({ context }, patch) {
  const state = context.store.get();
  const kernel = { ...state.kernel, ...patch };
  const layer = context.layer(state.slot.layer);
  const isIn = changeOf(state.changes, state.slot.layer, state.slot.filter)?.action === "replace";
  const fits = layer && kernel.rows === layer.kernel[0] && kernel.columns === layer.kernel[1];
  context.set(isIn && fits ? { kernel, changes: put(kernel, state, layer) } : { kernel });
}

/** The changes with the kernel in its slot; where a layer has channels, each sees it divided by their number. */
function put(kernel, { changes: made, slot }, layer) {
  const channels = layer.in_shape[0];
  const weights = weightsOf(kernel);
  const plane = weights.map((row) => row.map((value) => value / channels));
  const change = { action: "replace", weights: channels === 1 ? weights : Array(channels).fill(plane), bias: numberOf(kernel.bias) };
  return withChange(made, slot.layer, slot.filter, change);
}

// ---- building ----

function buildEditor(view) {
  const { context, editor } = view;
  view.preset = select("Start from", [["", "your own"]], (name) => { if (name) askPreset(view, { name }); });
  view.angle = number("Angle", { min: -360, max: 360, step: "any", value: 0 }, (angle) => askPreset(view, { ...view.presetAsked, angle }));
  view.sigma = number("Sigma", { min: 0.3, max: 32, step: "any", value: 1 }, (sigma) => askPreset(view, { ...view.presetAsked, sigma }));
  view.rows = number("Rows", { min: 1, max: 15, value: 7 }, (rows) => resizeKernel(view, { rows }));
  view.columns = number("Columns", { min: 1, max: 15, value: 7 }, (columns) => resizeKernel(view, { columns }));
  view.bias = number("Bias", { min: -1e6, max: 1e6, step: "any", value: 0 }, (bias) => view.editKernel({ bias: String(bias) }));
  const change = (words, act) => make("button", { onclick: () => view.editKernel(act(context.store.get().kernel)) }, words);
  return make(
    "div", { class: "result" },
    make("div", { class: "controls" }, view.preset.field, view.angle.field, view.sigma.field, view.rows.field, view.columns.field, view.bias.field),
    editor.root, editor.brush,
    make(
      "div", { class: "share-row" },
      change("Negate", ({ cells }) => ({ cells: cells.map((cell) => exact(-numberOf(cell) + 0)) })),
      change("Turn", ({ rows, columns, cells }) => ({ rows: columns, columns: rows, cells: cells.map((_, i) => cells[(rows - 1 - (i % rows)) * columns + Math.floor(i / rows)]) })),
      change("Sum to 1", normalised), change("All zero", ({ cells }) => ({ cells: cells.map(() => "0") })),
    ),
  );
}

function normalised({ cells }) {
  const sum = cells.reduce((total, cell) => total + numberOf(cell), 0);
  return Math.abs(sum) < 1e-9 ? {} : { cells: cells.map((cell) => exact(Math.fround(numberOf(cell) / sum))) };
}

function resizeKernel(view, patch) {
  view.presetAsked = null;
  view.editKernel(reshaped(view.context.store.get().kernel, patch));
}

function buildResult(view) {
  view.stride = number("Stride", { min: 1, max: 14, value: 1 }, (stride) => view.setResponse({ stride }));
  view.padding = select("Padding", PADDINGS, (padding) => view.setResponse({ padding }));
  view.activation = select("Activation", ACTIVATIONS, (activation) => view.setResponse({ activation }));
  view.pool = select("Pooling", [["0", "none"], ["2", "2 × 2"], ["3", "3 × 3"], ["4", "4 × 4"]], (pool) => view.setResponse({ pool: Number(pool) }));
  view.flip = radios("Laid on", "flip", [["", "as written"], ["1", "flipped"]], (flip) => view.setResponse({ flip: flip === "1" }));
  view.picture = heatmap();
  view.frame = make("span", { class: "frame" });
  view.grid = createGrid("response", { move: (row, column) => { view.at = [row, column]; view.context.redraw(); } });
  view.legend = legend();
  view.problem = make("p", { class: "problem", hidden: true });
  view.words = make("p", { class: "muted" });
  view.sum = make("div", { class: "sum" });
  view.pools = make("div", { class: "columns" });
  resize(view.picture, SIDE, SIDE);
  return make(
    "div", { class: "result" },
    make("div", { class: "controls" }, view.stride.field, view.padding.field, view.activation.field, view.pool.field, view.flip.field),
    view.problem,
    make(
      "div", { class: "columns" },
      make("figure", { class: "result" }, make("div", { class: "framed" }, view.picture, view.frame), make("figcaption", { class: "muted" }, "your digit, as the network sees it")),
      make("figure", { class: "result" }, view.grid.root, view.legend.root, view.words),
      view.pools,
    ),
    view.sum,
  );
}

function buildSlot(view) {
  const { context } = view;
  view.slot = select("In place of", [], (text) => {
    const [layer, filter] = text.split("/");
    context.set({ slot: { layer, filter: Number(filter) } });
  });
  view.put = make("button", { class: "main", id: "put", onclick: () => putIn(view) }, "Put it into the network");
  view.out = make("button", { onclick: () => takeOut(view) }, "Take it out");
  view.takeLearnt = make("button", { onclick: () => { const { slot } = context.store.get(); take(view, slot.layer, slot.filter); } }, "Edit that one");
  view.outcome = make("p", { id: "outcome", role: "status" });
  return make("div", { class: "result" }, make("h2", {}, "In the network"), make("div", { class: "controls" }, view.slot.field, view.put, view.out, view.takeLearnt), view.outcome);
}

function putIn({ context }) {
  const state = context.store.get();
  const layer = context.layer(state.slot.layer);
  const [rows, columns] = layer.kernel;
  const kernel = { ...state.kernel, ...reshaped(state.kernel, { rows, columns }) };
  context.set({ kernel, changes: put(kernel, state, layer) });
}

function takeOut({ context }) {
  const { changes: made, slot } = context.store.get();
  context.set({ changes: withChange(made, slot.layer, slot.filter, null) });
}

// ---- drawing ----

function draw(view, model) {
  const { state, data } = model;
  adoptPreset(view, data);
  view.editor.draw(state.kernel, model.theme, errorsOf(data.response));
  drawControls(view, model);
  drawResponse(view, model);
  drawSlot(view, model);
}

/** A preset that has just arrived becomes the kernel. */
function adoptPreset(view, data) {
  if (data.presets?.answer && view.presetIsNew(data.presets.answer)) {
    view.preset.box.replaceChildren(...[["", "your own"], ...data.presets.answer.filters.map(({ name }) => [name, name.replaceAll("_", " ")])].map(choice));
  }
  const made = data.preset?.answer;
  if (!made || !view.presetAsked || made.name !== view.presetAsked.name || made === view.adopted) return;
  view.adopted = made;
  view.parameters = made.parameters;
  const cells = made.weights.flat().map(String);
  queueMicrotask(() => view.editKernel({ rows: made.shape[0], columns: made.shape[1], cells }));
}

function errorsOf(entry) {
  return entry?.error?.problem.errors || [];
}

function drawControls(view, { state }) {
  const { kernel, response } = state;
  const setBox = ({ box }, value) => { if (document.activeElement !== box) box.value = value; };
  setBox(view.rows, kernel.rows);
  setBox(view.columns, kernel.columns);
  setBox(view.bias, numberOf(kernel.bias));
  setBox(view.stride, response.stride);
  view.padding.box.value = response.padding;
  view.activation.box.value = response.activation;
  view.pool.box.value = String(response.pool);
  view.flip.choose(response.flip ? "1" : "");
  view.preset.box.value = view.presetAsked?.name || "";
  const { angle, sigma } = (view.presetAsked && view.parameters) || {};
  set(view.angle.field, "hidden", !angle);
  set(view.sigma.field, "hidden", !sigma);
  if (angle) setBox(view.angle, angle.value);
  if (sigma) setBox(view.sigma, short(sigma.value));
}

function drawResponse(view, { state, data, theme }) {
  const entry = data.response;
  set(view.problem, "hidden", !entry?.error || entry.failed?.key !== view.context.lanes.asked("response"));
  if (entry?.error) write(view.problem, refusal(entry.error));
  if (data.input) paint(view.picture, data.input.levels, 28, 28, colourTable("pencil", theme), [0, 255]);
  const result = entry?.answer?.results[0];
  if (!result || !view.isNew(entry, data["pool-max"], data["pool-avg"], theme, view.at, state.response.pool, data.input)) return;
  const { response, shape: [rows, columns] } = result.filters[0];
  const values = response.flat();
  const range = shownRange("diverging", extent(values));
  paint(view.grid.canvas, values, rows, columns, colourTable("diverging", theme), range);
  const cell = Math.max(1, Math.floor(SIDE / Math.max(rows, columns)));
  resize(view.grid.canvas, columns * cell, rows * cell);
  view.legend.draw("diverging", theme, range, "this answer");
  const [row, column] = view.at || strongest(values, columns);
  view.at = [Math.min(row, rows - 1), Math.min(column, columns - 1)];
  view.grid.mark(rows, columns, view.at, short(response[view.at[0]][view.at[1]]));
  const { patches, unread } = result.geometry;
  write(view.words, `${patches[0]} × ${patches[1]} = ${patches[0] * patches[1]} places${unread[0] || unread[1] ? `, ${unread[0]} rows and ${unread[1]} columns unread` : ""}`);
  drawSum(view, result, entry, theme);
  drawPools(view, state, data, theme, range);
}

/** The cell to begin with: the one that answers most, either way. */
function strongest(values, columns) {
  const best = values.reduce((most, value, i) => (Math.abs(value) > Math.abs(values[most]) ? i : most), 0);
  return [Math.floor(best / columns), best % columns];
}

/** The sum behind the cell pointed at. */
function drawSum(view, { filters: [{ response, weights }], geometry }, { want: { request } }, theme) {
  const [row, column] = view.at;
  const [rows, columns] = geometry.kernel;
  const box = { top: row * geometry.stride[0] - geometry.pads[0], left: column * geometry.stride[1] - geometry.pads[1], height: rows, width: columns };
  frame(view.frame, clip(box), 28, 28);
  const { patch, padding } = cut(request.picture.unit, { rows: 28, columns: 28 }, box);
  const flat = Float32Array.from(weights.flat());
  const { products, sum } = multiply(patch, flat);
  const bias = request.json.filters[0].bias;
  const cell = Math.max(8, Math.min(22, Math.floor(150 / Math.max(rows, columns))));
  const show = (values, range, scale, label, muted) => make("figure", {}, numbers({ values, rows, columns, cell, scale, theme, range, label, muted }), make("figcaption", {}, label));
  const after = response[row][column];
  const { activation } = request.json;
  view.sum.replaceChildren(
    show(patch, [0, 1], "pencil", "patch", padding), make("span", { class: "sign" }, "×"),
    show(flat, shownRange("diverging", extent(flat)), "diverging", "filter"), make("span", { class: "sign" }, "="),
    show(products, shownRange("diverging", extent(products)), "diverging", "products"),
    make("p", { class: "formula", id: "response-sum" }, `sum ${fixed(sum, 3)}${bias ? ` + bias ${fixed(bias, 3)}` : ""}${activation === "linear" ? "" : `, ${activation}`} = ${fixed(after, 3)}`),
  );
}

function drawPools(view, { response }, data, theme, range) {
  view.pools.replaceChildren();
  if (!response.pool) return;
  for (const [kind, name] of [["max", "largest"], ["avg", "mean"]]) {
    const result = data[`pool-${kind}`]?.answer?.results[0].filters[0];
    if (!result) continue;
    const [rows, columns] = result.shape;
    const canvas = heatmap();
    paint(canvas, result.response.flat(), rows, columns, colourTable("diverging", theme), range);
    const cell = Math.max(1, Math.floor(150 / Math.max(rows, columns)));
    resize(canvas, columns * cell, rows * cell);
    view.pools.append(make("figure", { class: "result" }, canvas, make("figcaption", { class: "muted" }, `${name} of ${response.pool} × ${response.pool}: ${rows} × ${columns}`)));
  }
}

function drawSlot(view, { state, data, network }) {
  if (view.slotsOf !== network) {
    view.slotsOf = network;
    const slots = network.layers.filter(({ op }) => op === "conv").flatMap(({ name, shape, kernel }) => {
      return Array.from({ length: shape[0] }, (_, filter) => [`${name}/${filter}`, `${name}, filter ${filter} (${kernel.join(" × ")})`]);
    });
    view.slot.box.replaceChildren(...slots.map(choice));
    const { slot } = state;
    const isThere = slots.some(([value]) => value === `${slot.layer}/${slot.filter}`);
    if (!isThere) queueMicrotask(() => view.context.set({ slot: { layer: network.layers[0].name, filter: 0 } }));
  }
  const { layer, filter } = state.slot;
  view.slot.box.value = `${layer}/${filter}`;
  const isIn = changeOf(state.changes, layer, filter)?.action === "replace";
  set(view.out, "hidden", !isIn);
  const info = network.layers.find(({ name }) => name === layer);
  if (!info) return;
  const fits = info.kernel[0] === state.kernel.rows && info.kernel[1] === state.kernel.columns;
  write(view.put, fits ? "Put it into the network" : `Make it ${info.kernel.join(" × ")} and put it into the network`);
  set(view.put, "hidden", isIn && fits);
  write(view.outcome, outcome(isIn, data, layer, filter, info));
}

function outcome(isIn, { verdict, edited }, layer, filter, info) {
  const channels = info.in_shape[0];
  if (!isIn) return channels === 1 ? "" : `Each of its ${channels} channels gets your kernel, divided by ${channels}.`;
  if (!edited?.result || !verdict?.result) return "asking…";
  const [before, after] = [verdict.result, edited.result];
  return `With your filter as ${layer}/${filter} it reads ${after.digit} (${percent(after.confidence)}); before it read ${before.digit} (${percent(before.confidence)}). Every view now shows the changed network.`;
}
