// bench/ is the view of one filter at work: your own, a named or a learnt one slides over the picture. This file joins
// the parts and asks: the kernel (editor.js), picture, products and map (stage.js), how the window moves (motion.js), what
// is done to the map after that (chain.js), and the kernel's place in the network (slot.js).

import { networkCall, want } from "../state/api.js";
import { begun, caption, changes, choice, explained, make, mark, number, select, set, show } from "../shared/dom.js";
import { createChain, chainWants } from "./chain.js";
import { createEditor, exact, reshaped } from "./editor.js";
import { createMotion } from "./motion.js";
import { createSlot, put } from "./slot.js";
import { createStage } from "./stage.js";
import { short } from "../numbers/scales.js";
import { convolutions, sourcesOf } from "../state/kind.js";
import { inGrey } from "../state/subject.js";
import { ACTIVATIONS, changeOf, numberOf, PADDINGS, weightsOf } from "../state/state.js";
import { CAPTIONS } from "../shared/words.js";

/** @import { ApplyCall, Bench, Data, Input, Kernel, Model, Named, Network, State, Want } from "../state/types.d.ts" */
/** @import { Context, View } from "../shared/types.d.ts" */
/** @import { BenchView, Wrong } from "./types.d.ts" */

const LARGEST = 15; // side of a kernel

/** @type {(root: HTMLElement, context: Context) => View} */
export function create(root, context) {
  /** @type {BenchView} */
  const view = begun({ context, filtersAreNew: changes() });
  view.editKernel = (patch) => editKernel(view, patch);
  view.editor = createEditor((patch) => {
    context.set({ named: null });
    view.editKernel(patch);
  });
  const change = (/** @type {Partial<Bench>} */ patch) =>
    context.set({ bench: { ...context.store.get().bench, ...patch } });
  view.motion = createMotion(context, change, () => view.stage.grid());
  view.stage = createStage(context, view.editor.root, view.motion);
  view.chain = createChain(context);
  view.slot = createSlot(context, (layer, filter) => take(view, layer, filter));
  root.append(
    describe(view, change),
    make("div", { class: "controls after" }, ...buildControls(view, change)),
    view.motion.root,
    view.stage.root,
    view.chain.root,
    make("div", { class: "columns" }, buildTools(view), view.slot.root),
  );
  new ResizeObserver(([{ contentRect }]) => {
    view.stage.fit(Math.floor(contentRect.width));
    context.redraw();
  }).observe(root);
  return {
    draw: (model) => draw(view, model),
    wants,
    take: (layer, filter) => take(view, layer, filter),
    takes: [
      { name: "response", record: () => context.data.response?.want.request, formats: ["png", "npz", "json"] },
      { name: "patches", record: () => patchesCall(context), formats: ["png", "npz", "json"] },
      { name: "your network", record: () => lastStep(context.data, context.store.get()), formats: ["png", "npz", "json"] },
    ],
  };
}

/** @type {(view: BenchView, change: (patch: Partial<Bench>) => void) => HTMLElement} */
function describe(view, change) {
  const { context } = view;
  /** @type {(patch: Partial<Bench>, name?: string, chain?: string[]) => () => void} */
  const slide =
    (patch, name = "diagonal_falling", chain = []) =>
    () => {
      context.set({ named: { name, size: 7 }, chain });
      change({ stride: 2, padding: "valid", flip: false, place: -1, isWhole: true, ...patch });
    };
  return caption(
    CAPTIONS.bench,
    () => view.motion.play(),
    slide({}),
    slide({}, "diagonal_rising"),
    () => {
      const first = learntOf(context.network());
      if (first) take(view, first.name, 0);
    },
    slide({ place: 10 }),
    slide({ padding: "same" }),
    slide({ stride: 7 }),
    slide({ stride: 1 }, "diagonal_falling", ["max2", "sobel_x", "max2"]),
  );
}

// ---- asking ----

/** @type {(model: Model) => Want[]} */
function wants({ state, data, network }) {
  const list = [want("presets", { path: "/v1/filters" })];
  if (state.named) {
    const { name, ...query } = state.named;
    list.push(want("preset", { path: `/v1/filters/${name}`, query }));
  }
  if (!data.input) return list;
  const call = responseCall(network, inGrey(data.input), state);
  return [...list, want("response", call), ...chainWants(call, state.chain)];
}

/** @type {(network: Network, picture: Input, state: State) => ApplyCall} */
function responseCall(network, picture, { kernel, bench }) {
  const { query, ...call } = networkCall("/v1/apply-filters", network, picture, {});
  /** @type {ApplyCall["json"]} */
  const json = {
    prepare: query.prepare,
    filters: [{ name: "yours", weights: weightsOf(kernel), bias: numberOf(kernel.bias) }],
    stride: bench.stride,
    padding: bench.padding,
    activation: bench.activation,
  };
  if (bench.flip) json.orientation = "convolution";
  return { ...call, query: {}, json };
}

/**
 * The call that cuts the picture into the patches of the bench. The page cuts them itself.
 * @type {(context: Context) => import("../state/types.d.ts").Request | null}
 */
function patchesCall({ data, store }) {
  const { kernel, bench } = store.get();
  if (!data.input) return null;
  const size = kernel.rows === kernel.columns ? kernel.rows : `${kernel.rows},${kernel.columns}`;
  const query = { prepare: "none", patch_size: size, stride: bench.stride, padding: bench.padding };
  return { method: "POST", path: "/v1/patches", picture: inGrey(data.input), query };
}

/** @type {(data: Data, state: State) => import("../state/types.d.ts").Request | undefined} */
function lastStep(data, { chain }) {
  return chain.length ? data[`step-${chain.length - 1}`]?.want.request : undefined;
}

/**
 * Take a learnt filter into the editor once it has come, slide it as its layer does, and aim at its place there.
 * @type {(view: BenchView, layer: string, filter: number) => void}
 */
function take(view, layer, filter) {
  const known = view.context.weights[layer];
  view.taking = known ? null : { layer, filter };
  view.context.set({ slot: { layer, filter }, named: null });
  if (!known) return;
  const [, channels, rows, columns] = known.weights.shape;
  const area = rows * columns;
  const start = filter * channels * area;
  // On a grey picture, whose channels are alike, a filter of colours is the sum of its planes.
  const summed = Float32Array.from({ length: area }, (_, i) =>
    Array.from({ length: channels }, (_plane, channel) => known.weights.data[start + channel * area + i]).reduce((a, b) => a + b),
  );
  const cells = Array.from(summed, exact);
  view.editKernel({ rows, columns, cells, bias: exact(known.biases.data[filter]) });
  const { stride, pads } = view.context.layer(layer) ?? { stride: [1], pads: [0] };
  const { bench } = view.context.store.get();
  const padding = pads.some(Boolean) ? "same" : "valid";
  view.context.set({ bench: { ...bench, stride: stride[0], padding, flip: false, place: -1 } });
}

/**
 * Change the kernel; while it stands in the network, its place there follows.
 * @type {(view: BenchView, patch: Partial<Kernel>) => void}
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

/** @type {(view: BenchView, change: (patch: Partial<Bench>) => void) => HTMLElement[]} */
function buildControls(view, change) {
  const { context } = view;
  const named = (/** @type {Partial<Named>} */ patch) => {
    const now = context.store.get().named;
    if (now) context.set({ named: { ...now, ...patch } });
  };
  view.filter = explained(
    select("Filter", [["", "your own"]], (chosen) => choose(view, chosen)),
    mark("filter"),
  );
  const angle = number("Angle", { min: -360, max: 360, step: "any", value: 0 }, (value) => named({ angle: value }));
  const sigma = number("Sigma", { min: 0.3, max: 32, step: "any", value: 1 }, (value) => named({ sigma: value }));
  Object.assign(view, { angle, sigma });
  view.rows = number("Rows", { min: 1, max: LARGEST, value: 7 }, (rows) => resizeKernel(view, { rows }));
  view.columns = number("Columns", { min: 1, max: LARGEST, value: 7 }, (columns) => resizeKernel(view, { columns }));
  view.stride = explained(
    number("Stride", { min: 1, max: 14, value: 2 }, (stride) => change({ stride, place: -1 })),
    mark("stride"),
  );
  view.padding = explained(
    select("Edge", PADDINGS, (padding) => change({ padding, place: -1 })),
    mark("padding"),
  );
  view.activation = explained(
    select("Activation", ACTIVATIONS, (activation) => change({ activation })),
    mark("activation"),
  );
  const fields = [view.filter, view.angle, view.sigma, view.rows, view.columns, view.stride, view.padding];
  return [...fields, view.activation].map(({ field }) => field);
}

/** @type {(view: BenchView, chosen: string) => void} */
function choose(view, chosen) {
  const [kind, name, filter] = chosen.split("/");
  if (kind === "named") view.context.set({ named: { name } });
  else if (kind === "learnt") take(view, name, Number(filter));
  else view.context.set({ named: null });
}

/** @type {(view: BenchView) => HTMLElement} */
function buildTools(view) {
  const { context, editor } = view;
  view.bias = explained(
    number("Bias", { min: -1e6, max: 1e6, step: "any", value: 0 }, (bias) => view.editKernel({ bias: String(bias) })),
    mark("bias"),
  );
  /** @type {(words: string, act: (kernel: Kernel) => Partial<Kernel>) => HTMLElement} */
  const change = (words, act) => {
    const onclick = () => {
      context.set({ named: null });
      view.editKernel(act(context.store.get().kernel));
    };
    return make("button", { onclick }, words);
  };
  view.flip = make("button", {
    onclick: () => {
      const { bench } = context.store.get();
      context.set({ bench: { ...bench, flip: !bench.flip } });
    },
  });
  view.flip.append("Lay it on turned (convolution)");
  return make(
    "div",
    { class: "result" },
    make("h2", {}, "Your filter"),
    make("p", { class: "muted" }, "Paint its cells above with the brush, or type numbers into them."),
    make("div", { class: "controls" }, editor.brush, view.bias.field),
    make(
      "div",
      { class: "row" },
      change("Negate", ({ cells }) => ({ cells: cells.map((cell) => exact(-numberOf(cell) + 0)) })),
      change("Turn", ({ rows, columns, cells }) => ({
        rows: columns,
        columns: rows,
        cells: cells.map((_, i) => cells[(rows - 1 - (i % rows)) * columns + Math.floor(i / rows)]),
      })),
      change("Sum to 1", normalised),
      change("All zero", ({ cells }) => ({ cells: cells.map(() => "0") })),
      view.flip,
    ),
  );
}

/** @type {(kernel: Kernel) => Partial<Kernel>} */
function normalised({ cells }) {
  const sum = cells.reduce((total, cell) => total + numberOf(cell), 0);
  return Math.abs(sum) < 1e-9 ? {} : { cells: cells.map((cell) => exact(Math.fround(numberOf(cell) / sum))) };
}

/**
 * A named filter that comes in any size is asked for in the new one; another kernel keeps its cells.
 * @type {(view: BenchView, patch: { rows?: number, columns?: number }) => void}
 */
function resizeKernel({ context, editKernel: edit, parameters }, patch) {
  const { named, kernel } = context.store.get();
  if (named && parameters?.size) context.set({ named: { ...named, size: patch.rows ?? patch.columns } });
  else {
    context.set({ named: null });
    edit(reshaped(kernel, patch));
  }
}

// ---- drawing ----

/** @type {(view: BenchView, model: Model) => void} */
function draw(view, model) {
  const { state, data } = model;
  listFilters(view, model);
  adoptNamed(view, model);
  if (view.taking && view.context.weights[view.taking.layer])
    queueMicrotask(() => view.taking && take(view, view.taking.layer, view.taking.filter));
  drawControls(view, state);
  const side = view.stage.draw(model);
  view.editor.draw(state.kernel, model.theme, errorsOf(view.context), side);
  view.motion.draw(state, data.response?.answer.results[0]);
  view.chain.draw(model, view.stage);
  view.slot.draw(model);
}

/**
 * Every filter that can be laid on the picture: named ones, and those of the first layer. Deeper ones read maps.
 * @type {(view: BenchView, model: Model) => void}
 */
function listFilters(view, { data, network }) {
  const presets = data.presets?.answer;
  if (!view.filtersAreNew(presets, network)) return;
  const names = presets?.filters.map(({ name }) => [`named/${name}`, name.replaceAll("_", " ")]) ?? [];
  const first = learntOf(network);
  const learnt = Array.from({ length: first?.shape[0] ?? 0 }, (_, k) => [`learnt/${first?.name}/${k}`, `${first?.name}, filter ${k}`]);
  view.filter.box.replaceChildren(
    choice(["", "your own"]),
    make("optgroup", { label: "named" }, names.map(choice)),
    make("optgroup", { label: `learnt by ${network.name}` }, learnt.map(choice)),
  );
}

/**
 * The layer whose filters read the picture itself, if there is one.
 * @type {(network: Network) => import("../numbers/types.d.ts").Layer | undefined}
 */
const learntOf = (network) => convolutions(network).find((layer) => !sourcesOf(network, layer).length);

/**
 * A named filter that has just arrived becomes the kernel.
 * @type {(view: BenchView, model: Model) => void}
 */
function adoptNamed(view, { state, data }) {
  const made = data.preset?.answer;
  if (!made || !state.named || data.preset?.want.request.path !== `/v1/filters/${state.named.name}`) return;
  if (made === view.adopted) return;
  view.adopted = made;
  view.parameters = made.parameters;
  const cells = made.weights.flat().map(String);
  queueMicrotask(() => view.editKernel({ rows: made.shape[0], columns: made.shape[1], cells }));
}

/** @type {(context: Context) => Wrong[]} */
function errorsOf({ lanes }) {
  return lanes.standing("response").error?.problem.errors || [];
}

/** @type {(view: BenchView, state: State) => void} */
function drawControls(view, { kernel, named, bench, slot }) {
  show(view.rows, kernel.rows);
  show(view.columns, kernel.columns);
  show(view.bias, numberOf(kernel.bias));
  show(view.stride, bench.stride);
  view.padding.box.value = bench.padding;
  view.activation.box.value = bench.activation;
  set(view.flip, "aria-pressed", String(bench.flip));
  const isLearnt = !named && isSlots(kernel, view.context, slot.layer, slot.filter);
  view.filter.box.value = named ? `named/${named.name}` : isLearnt ? `learnt/${slot.layer}/${slot.filter}` : "";
  const { angle, sigma } = (named && view.parameters) || {};
  set(view.angle.field, "hidden", !angle);
  set(view.sigma.field, "hidden", !sigma);
  if (angle) show(view.angle, angle.value);
  if (sigma) show(view.sigma, short(sigma.value));
}

/**
 * Whether the kernel is the learnt filter of a place.
 * @type {(kernel: Kernel, context: Context, layer: string, filter: number) => boolean}
 */
function isSlots({ rows, columns, cells }, { weights }, layer, filter) {
  const known = weights[layer]?.weights;
  if (!known || known.shape[1] !== 1 || known.shape[2] !== rows || known.shape[3] !== columns) return false;
  return cells.every((cell, i) => Math.fround(numberOf(cell)) === known.data[filter * rows * columns + i]);
}
