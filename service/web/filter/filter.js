// Your filter: a kernel to paint or type, its answer to the picture, and its place in the network.

import { networkCall, want } from "../state/api.js";
import { changes, choice, make, number, select, set } from "../shared/dom.js";
import { createEditor, exact, reshaped } from "./editor.js";
import { createResponse } from "./response.js";
import { short } from "../numbers/scales.js";
import { createSlot, put } from "./slot.js";
import { changeOf, numberOf, weightsOf } from "../state/state.js";

export function create(root, context) {
  const view = { context, presetAsked: null, presetIsNew: changes() };
  view.editKernel = (patch) => editKernel(view, patch);
  view.editor = createEditor(view.editKernel);
  view.response = createResponse(context);
  view.slot = createSlot(context, (layer, filter) => take(view, layer, filter));
  root.append(
    make(
      "div",
      { class: "view-head" },
      caption(view),
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

function caption(view) {
  const link = (words, act) => make("button", { class: "link", onclick: act }, words);
  const preset = (name) => () => askPreset(view, { name });
  return make(
    "p",
    { class: "caption" },
    "Paint the cells, or type numbers into them; the answer on your digit follows. Try ",
    link("the lecture’s diagonal edge", preset("diagonal_falling")),
    ", ",
    link("a blur", preset("gaussian")),
    ", or ",
    link("a filter the network learnt", () => take(view, view.context.network().layers[0].name, 0)),
    ", and put it into the network.",
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
    for (const kind of ["max", "avg"])
      list.push(want(`pool-${kind}`, { ...call, json: { ...call.json, pool: { kind, size: state.response.pool } } }));
  }
  return list;
}

function responseCall(network, picture, { kernel, response }) {
  const { query, ...call } = networkCall("/v1/apply-filters", network, picture, {});
  const json = {
    prepare: query.prepare,
    filters: [{ name: "yours", weights: weightsOf(kernel), bias: numberOf(kernel.bias) }],
    stride: response.stride,
    padding: response.padding,
    activation: response.activation,
  };
  if (response.flip) json.orientation = "convolution";
  return { ...call, json };
}

function askPreset(view, asked) {
  view.presetAsked = asked;
  view.context.redraw();
}

/** Take a learnt filter into the editor once it has come, and aim at its place in the network. */
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

/** Change the kernel; while it stands in the network, its place there follows. */
function editKernel({ context }, patch) {
  const state = context.store.get();
  const kernel = { ...state.kernel, ...patch };
  const layer = context.layer(state.slot.layer);
  const isIn = changeOf(state.changes, state.slot.layer, state.slot.filter)?.action === "replace";
  const fits = layer && kernel.rows === layer.kernel[0] && kernel.columns === layer.kernel[1];
  context.set(isIn && fits ? { kernel, changes: put(kernel, state, layer) } : { kernel });
}

// ---- building ----

function buildEditor(view) {
  const { context, editor } = view;
  view.preset = select("Start from", [["", "your own"]], (name) => {
    if (name) askPreset(view, { name });
  });
  view.angle = number("Angle", { min: -360, max: 360, step: "any", value: 0 }, (angle) =>
    askPreset(view, { ...view.presetAsked, angle }),
  );
  view.sigma = number("Sigma", { min: 0.3, max: 32, step: "any", value: 1 }, (sigma) =>
    askPreset(view, { ...view.presetAsked, sigma }),
  );
  view.rows = number("Rows", { min: 1, max: 15, value: 7 }, (rows) => resizeKernel(view, { rows }));
  view.columns = number("Columns", { min: 1, max: 15, value: 7 }, (columns) => resizeKernel(view, { columns }));
  view.bias = number("Bias", { min: -1e6, max: 1e6, step: "any", value: 0 }, (bias) =>
    view.editKernel({ bias: String(bias) }),
  );
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

function normalised({ cells }) {
  const sum = cells.reduce((total, cell) => total + numberOf(cell), 0);
  return Math.abs(sum) < 1e-9 ? {} : { cells: cells.map((cell) => exact(Math.fround(numberOf(cell) / sum))) };
}

function resizeKernel(view, patch) {
  view.presetAsked = null;
  view.editKernel(reshaped(view.context.store.get().kernel, patch));
}

// ---- drawing ----

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

/** A preset that has just arrived becomes the kernel. */
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

function errorsOf({ lanes }) {
  return lanes.standing("response").error?.problem.errors || [];
}

function drawControls(view, { kernel }) {
  const setBox = ({ box }, value) => {
    if (document.activeElement !== box) box.value = value;
  };
  setBox(view.rows, kernel.rows);
  setBox(view.columns, kernel.columns);
  setBox(view.bias, numberOf(kernel.bias));
  view.preset.box.value = view.presetAsked?.name || "";
  const { angle, sigma } = (view.presetAsked && view.parameters) || {};
  set(view.angle.field, "hidden", !angle);
  set(view.sigma.field, "hidden", !sigma);
  if (angle) setBox(view.angle, angle.value);
  if (sigma) setBox(view.sigma, short(sigma.value));
}
