// A place in the network for the kernel of the editor, and what the network says with it.

import { begun, choice, make, select, set, write } from "../shared/dom.js";
import { convolutions, reasonOf, SHOWN_MAPS } from "../state/kind.js";
import { changeOf, numberOf, weightsOf, withChange } from "../state/state.js";
import { reshaped } from "./editor.js";
import { verdictsOf } from "../state/subject.js";
import { replaced } from "../shared/words.js";

/** @import { Layer } from "../numbers/types.d.ts" */
/** @import { Action, Change, Kernel, LaneStanding, Model, Slot, Verdict } from "../state/types.d.ts" */
/** @import { Context } from "../shared/types.d.ts" */
/** @import { SlotView } from "./types.d.ts" */

/**
 * The maps that a filter of a layer reads: all of those before it, or those of its group.
 * @type {(layer: Layer) => number}
 */
const channelsOf = ({ in_shape: [count], groups = 1 }) => count / groups;

/**
 * The changes with the kernel in its slot; where a layer has channels, each sees it divided by their number.
 * @type {(kernel: Kernel, chosen: { changes: Change[], slot: Slot }, layer: Layer) => Change[]}
 */
export function put(kernel, { changes: made, slot }, layer) {
  const channels = channelsOf(layer);
  const weights = weightsOf(kernel);
  const plane = weights.map((row) => row.map((value) => value / channels));
  /** @type {Action} */
  const change = {
    action: "replace",
    weights: channels === 1 ? weights : Array(channels).fill(plane),
    bias: numberOf(kernel.bias),
  };
  return withChange(made, slot.layer, slot.filter, change);
}

/**
 * take(layer, filter) brings the learnt filter of the slot into the editor.
 * @type {(context: Context, take: (layer: string, filter: number) => void) => { root: HTMLElement,
 *   draw(model: Model): void }}
 */
export function createSlot(context, take) {
  /** @type {SlotView} */
  const view = begun({ context, take });
  const root = buildSlot(view);
  return { root, draw: (model) => drawSlot(view, model) };
}

/** @type {(view: SlotView) => HTMLElement} */
function buildSlot(view) {
  const { context } = view;
  view.slot = select("In place of", [], (text) => {
    const [layer, filter] = text.split("/");
    context.set({ slot: { layer, filter: Number(filter) } });
  });
  view.put = make("button", { class: "main", id: "put", onclick: () => putIn(view) }, "Put it into the network");
  view.out = make("button", { onclick: () => takeOut(view) }, "Take it out");
  view.takeLearnt = make(
    "button",
    {
      onclick: () => {
        const { slot } = context.store.get();
        view.take(slot.layer, slot.filter);
      },
    },
    "Edit that one",
  );
  view.outcome = make("p", { id: "outcome", role: "status" });
  view.controls = make("div", { class: "controls" }, view.slot.field, view.put, view.out, view.takeLearnt);
  return make("div", { class: "result" }, make("h2", {}, "In the network"), view.controls, view.outcome);
}

/** @type {(view: SlotView) => void} */
function putIn({ context }) {
  const state = context.store.get();
  const layer = context.layer(state.slot.layer);
  if (!layer) return;
  const [rows, columns] = layer.kernel;
  const kernel = { ...state.kernel, ...reshaped(state.kernel, { rows, columns }) };
  context.set({ kernel, changes: put(kernel, state, layer) });
}

/** @type {(view: SlotView) => void} */
function takeOut({ context }) {
  const { changes: made, slot } = context.store.get();
  context.set({ changes: withChange(made, slot.layer, slot.filter, null) });
}

/** @type {(view: SlotView, model: Model) => void} */
function drawSlot(view, { state, data, network }) {
  if (view.slotsOf !== network) {
    view.slotsOf = network;
    const slots = convolutions(network)
      .flatMap(({ name, shape, kernel }) => {
        return Array.from({ length: network.calls ? Math.min(shape[0], SHOWN_MAPS) : shape[0] }, (_, filter) => [
          `${name}/${filter}`,
          `${name}, filter ${filter} (${kernel.join(" × ")})`,
        ]);
      });
    view.slot.box.replaceChildren(...slots.map(choice));
    const { slot } = state;
    const isThere = slots.some(([value]) => value === `${slot.layer}/${slot.filter}`);
    const first = convolutions(network)[0]?.name ?? "";
    if (!isThere) queueMicrotask(() => view.context.set({ slot: { layer: first, filter: 0 } }));
  }
  const { layer, filter } = state.slot;
  view.slot.box.value = `${layer}/${filter}`;
  const isIn = changeOf(state.changes, layer, filter)?.action === "replace";
  set(view.out, "hidden", !isIn);
  const info = network.layers.find(({ name }) => name === layer);
  const reason = convolutions(network).length ? "" : `It has no place in ${network.name}: ${reasonOf(network, "POST /v1/what-if, and changes")}.`;
  set(view.controls, "hidden", Boolean(reason));
  if (reason) write(view.outcome, reason);
  if (!info || reason) return;
  const fits = info.kernel[0] === state.kernel.rows && info.kernel[1] === state.kernel.columns;
  write(view.put, fits ? "Put it into the network" : `Make it ${info.kernel.join(" × ")} and put it into the network`);
  set(view.put, "hidden", isIn && fits);
  write(view.outcome, outcome(isIn, verdictsOf(data), view.context.lanes.standing("edited"), state.slot, info));
}

/**
 * @type {(isIn: boolean, verdicts: { before: Verdict | null, shown: Verdict | null }, standing: LaneStanding,
 *   slot: Slot, info: Layer) => string}
 */
function outcome(isIn, { before, shown }, { isSettled, error }, { layer, filter }, info) {
  const channels = channelsOf(info);
  if (!isIn) return channels === 1 ? "" : `Each of its ${channels} channels gets your kernel, divided by ${channels}.`;
  if (!isSettled || !before || !shown) return error ? "The changed network has not answered." : "It is in the network.";
  return replaced(`${layer}/${filter}`, before, shown);
}
