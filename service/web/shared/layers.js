// The choice of a layer, of a network with more maps than there is room for.

import { choice, select } from "./dom.js";

/** @import { Network } from "../state/types.d.ts" */
/** @import { Context, LayerChoice } from "./types.d.ts" */

/**
 * box: where it is put; isOfFilters: whether only layers of filters are to be chosen
 * @type {(context: Context, box: HTMLElement, isOfFilters?: boolean) => LayerChoice}
 */
export function createLayerChoice(context, box, isOfFilters = false) {
  const { box: layers, field } = select("Layers", [], (layer) => context.set({ layer, at: null, pinned: false }));
  box.append(field);
  /** @type {Network | null} */
  let of = null;
  return {
    draw(network, { layer }) {
      if (of !== network) {
        of = network;
        const all = network.layers.filter(({ op }) => (isOfFilters ? op === "conv" : op !== "linear"));
        layers.replaceChildren(choice(["", "the last of each size"]), ...all.map(({ name }) => choice(name)));
      }
      layers.value = layer;
    },
  };
}
