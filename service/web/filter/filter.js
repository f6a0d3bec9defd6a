// filter/ is the view of your own filter: the kernel (editor.js), its answer (response.js), its place in the network
// (slot.js). This file joins the three, and asks for named filters.

import { networkCall, want } from "../state/api.js";
import { begun, caption, changes, choice, make, number, select, set, show } from "../shared/dom.js";
import { createEditor, exact, reshaped } from "./editor.js";
import { createResponse } from "./response.js";
import { short } from "../numbers/scales.js";
import { createSlot, put } from "./slot.js";
import { changeOf, numberOf, weightsOf } from "../state/state.js";
import { CAPTIONS } from "../shared/words.js";

/** @import { ApplyCall, Data, Input, Kernel, Model, Network, State, Want } from "../state/types.d.ts" */
/** @import { Context, View } from "../shared/types.d.ts" */
/** @import { FilterView, PresetAsked, Wrong } from "./types.d.ts" */

/** @type {(root: HTMLElement, context: Context) => View} */
export function create(root, context) {
  /** @type {FilterView} */
  const view = begun({ context, presetAsked: null, presetIsNew: changes() });
  view.editKernel = (patch) => editKernel(view, patch);
  view.editor = createEditor(view.editKernel);
  view.response = createResponse(context);
  view.slot = createSlot(context, (layer, filter) => take(view, layer, filter));
  root.append(
    make(
      "div",
      { class: "view-head" },
      describe(view),
      context.share("response", () => context.data.response?.want.request, ["png", "npz", "json"]),
    ),
    make(
      "div",
      { class: "columns bench" },
      make("div", { class: "result bench-left" }, buildEditor(view), view.slot.root),
      view.response.root,
    ),
  );
  return {
    draw: (model) => draw(view, model),
    wants: (model) => wants(view, model),
    take: (layer, filter) => take(view, layer, filter),
  };
}

/** @type {(view: FilterView) => HTMLElement} */
function describe(view) {
  return caption(
    CAPTIONS.filter,
    () => askPreset(view, { name: "diagonal_falling" }),
    () => askPreset(view, { name: "gaussian" }),
    () => take(view, view.context.network().layers[0].name, 0),
  );
}

// ---- asking ----

/** @type {(view: FilterView, model: Model) => Want[]} */
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
    for (const kind of ["max", "avg"])
      list.push(want(`pool-${kind}`, { ...call, json: { ...call.json, pool: { kind, size: state.response.pool } } }));
  }
  return list;
}

/** @type {(network: Network, picture: Input, state: State) => ApplyCall} */
function responseCall(network, picture, { kernel, response }) {
  const { query, ...call } = networkCall("/v1/apply-filters", network, picture, {});
  /** @type {ApplyCall["json"]} */
  const json = {
    prepare: query.prepare,
    filters: [{ name: "yours", weights: weightsOf(kernel), bias: numberOf(kernel.bias) }],
    stride: response.stride,
    padding: response.padding,
    activation: response.activation,
  };
  if (response.flip) json.orientation = "convolution";
  return { ...call, query: {}, json };
}

/** @type {(view: FilterView, asked: PresetAsked) => void} */
function askPreset(view, asked) {
  view.presetAsked = asked;
  view.context.redraw();
}

/**
 * Take a learnt filter into the editor once it has come, and aim at its place in the network.
 * @type {(view: FilterView, layer: string, filter: number) => void}
 */
function take(view, layer, filter) {
  const known = view.context.weights[layer];
  view.taking = known ? null : { layer, filter };
  view.context.set({ slot: { layer, filter } });
  if (!known) return;
  const [, channels, rows, columns] = known.weights.shape;
  const start = filter * channels * rows * columns;
  view.presetAsked = null;
  const cells = Array.from(known.weights.data.slice(start, start + rows * columns), exact);
  view.editKernel({ rows, columns, cells, bias: exact(known.biases.data[filter]) });
}

/**
 * Change the kernel; while it stands in the network, its place there follows.
 * @type {(view: FilterView, patch: Partial<Kernel>) => void}
 */
function editKernel({ context }, patch) {
  const state = context.store.get();
  const kernel = { ...state.kernel, ...patch };
  const layer = context.layer(state.slot.layer);
  const isIn = changeOf(state.changes, state.slot.layer, state.slot.filter)?.action === "replace";
  const fits = layer && kernel.rows === layer.kernel[0] && kernel.columns === layer.kernel[1];
  context.set(isIn && fits ? { kernel, changes: put(kernel, state, layer) } : { kernel });
}

// ---- building ----

/** @type {(view: FilterView) => HTMLElement} */
function buildEditor(view) {
  const { context, editor } = view;
  view.preset = select("Start from", [["", "your own"]], (name) => {
    if (name) askPreset(view, { name });
  });
  view.angle = number(
    "Angle",
    { min: -360, max: 360, step: "any", value: 0 },
    (angle) => view.presetAsked && askPreset(view, { ...view.presetAsked, angle }),
  );
  view.sigma = number(
    "Sigma",
    { min: 0.3, max: 32, step: "any", value: 1 },
    (sigma) => view.presetAsked && askPreset(view, { ...view.presetAsked, sigma }),
  );
  view.rows = number("Rows", { min: 1, max: 15, value: 7 }, (rows) => resizeKernel(view, { rows }));
  view.columns = number("Columns", { min: 1, max: 15, value: 7 }, (columns) => resizeKernel(view, { columns }));
  view.bias = number("Bias", { min: -1e6, max: 1e6, step: "any", value: 0 }, (bias) =>
    view.editKernel({ bias: String(bias) }),
  );
  /** @type {(words: string, act: (kernel: Kernel) => Partial<Kernel>) => HTMLElement} */
  const change = (words, act) =>
    make("button", { onclick: () => view.editKernel(act(context.store.get().kernel)) }, words);
  return make(
    "div",
    { class: "result" },
    make(
      "div",
      { class: "controls" },
      view.preset.field,
      view.angle.field,
      view.sigma.field,
      view.rows.field,
      view.columns.field,
      view.bias.field,
    ),
    make("div", { class: "scroll" }, editor.root),
    editor.brush,
    make(
      "div",
      { class: "share-row" },
      change("Negate", ({ cells }) => ({ cells: cells.map((cell) => exact(-numberOf(cell) + 0)) })),
      change("Turn", ({ rows, columns, cells }) => ({
        rows: columns,
        columns: rows,
        cells: cells.map((_, i) => cells[(rows - 1 - (i % rows)) * columns + Math.floor(i / rows)]),
      })),
      change("Sum to 1", normalised),
      change("All zero", ({ cells }) => ({ cells: cells.map(() => "0") })),
    ),
  );
}

/** @type {(kernel: Kernel) => Partial<Kernel>} */
function normalised({ cells }) {
  const sum = cells.reduce((total, cell) => total + numberOf(cell), 0);
  return Math.abs(sum) < 1e-9 ? {} : { cells: cells.map((cell) => exact(Math.fround(numberOf(cell) / sum))) };
}

/** @type {(view: FilterView, patch: { rows?: number, columns?: number }) => void} */
function resizeKernel(view, patch) {
  view.presetAsked = null;
  view.editKernel(reshaped(view.context.store.get().kernel, patch));
}

// ---- drawing ----

/** @type {(view: FilterView, model: Model) => void} */
function draw(view, model) {
  const { state, data } = model;
  adoptPreset(view, data);
  if (view.taking && view.context.weights[view.taking.layer])
    queueMicrotask(() => view.taking && take(view, view.taking.layer, view.taking.filter));
  view.editor.draw(state.kernel, model.theme, errorsOf(view.context));
  drawControls(view, state);
  view.response.draw(model);
  view.slot.draw(model);
}

/**
 * A preset that has just arrived becomes the kernel.
 * @type {(view: FilterView, data: Data) => void}
 */
function adoptPreset(view, data) {
  if (data.presets?.answer && view.presetIsNew(data.presets.answer)) {
    view.preset.box.replaceChildren(
      ...[["", "your own"], ...data.presets.answer.filters.map(({ name }) => [name, name.replaceAll("_", " ")])].map(
        choice,
      ),
    );
  }
  const made = data.preset?.answer;
  if (!made || !view.presetAsked || made.name !== view.presetAsked.name || made === view.adopted) return;
  view.adopted = made;
  view.parameters = made.parameters;
  const cells = made.weights.flat().map(String);
  queueMicrotask(() => view.editKernel({ rows: made.shape[0], columns: made.shape[1], cells }));
}

/** @type {(context: Context) => Wrong[]} */
function errorsOf({ lanes }) {
  return lanes.standing("response").error?.problem.errors || [];
}

/** @type {(view: FilterView, state: State) => void} */
function drawControls(view, { kernel }) {
  show(view.rows, kernel.rows);
  show(view.columns, kernel.columns);
  show(view.bias, numberOf(kernel.bias));
  view.preset.box.value = view.presetAsked?.name || "";
  const { angle, sigma } = (view.presetAsked && view.parameters) || {};
  set(view.angle.field, "hidden", !angle);
  set(view.sigma.field, "hidden", !sigma);
  if (angle) show(view.angle, angle.value);
  if (sigma) show(view.sigma, short(sigma.value));
}
