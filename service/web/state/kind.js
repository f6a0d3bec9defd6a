// What a network is, as its passport says it: the size and the colour of its pictures, its classes, its layers and what
// it does not answer. Every view goes by this, and by no number of its own.

/** @import { Layer } from "../numbers/types.d.ts" */
/** @import { Form, Kind, Network } from "./types.d.ts" */

const MOST_NUMBERS = 1_500_000; // of the maps that are asked for at once
const MOST_TILES = 1500; // of the maps that are shown at once
export const MOST_WEIGHTS = 1_000_000; // of a layer, for the sums of its cells to be written out
export const SHOWN_MAPS = 64; // of one layer
export const SHOWN_CLASSES = 5; // the most probable, of a network that reads no digits

/** @type {WeakMap<Network, Kind>} */
const kinds = new WeakMap();

/**
 * What is known of a network, made once.
 * @type {(network: Network) => Kind}
 */
export function kindOf(network) {
  const known = kinds.get(network) ?? made(network);
  kinds.set(network, known);
  return known;
}

/** @type {(network: Network) => Kind} */
function made({ passport: { input, labels }, calls }) {
  const [channels, rows, columns] = input.shape;
  const isInk = (input.prepare ?? "digit") === "digit";
  return {
    form: { width: columns, height: rows, channels, isInk },
    isDigits: isInk && !calls?.["POST /v1/read"],
    isAdopted: calls !== undefined,
    isColour: channels > 1,
    labels,
  };
}

/**
 * A network whose layers lack nothing that a sum is done with: where the places of the picture are gone, the kernel and
 * the steps are in the passport alone.
 * @type {(network: Network) => Network}
 */
export function completed(network) {
  const told = new Map((network.passport.layers ?? []).map((layer) => [layer.name, layer]));
  const layers = network.layers.map((layer) => {
    if (layer.op === "linear") return layer;
    const { kernel, stride, pads, dilation, groups } = told.get(layer.name) ?? {};
    const plain = { kernel: [1, 1], stride: [1, 1], pads: [0, 0, 0, 0] };
    const found = Object.entries({ ...plain, kernel, stride, pads, dilation, groups }).filter(([, value]) => value);
    return /** @type {Layer} */ ({ ...plain, ...Object.fromEntries(found), ...layer });
  });
  return { ...network, layers };
}

/**
 * Why a network does not answer a call, named as its description names it; "" where it does.
 * @type {(network: Network, call: string) => string}
 */
export const reasonOf = ({ calls }, call) => calls?.[call] ?? "";

/** @type {(network: Network, method: string) => string} */
export const methodReason = (network, method) => reasonOf(network, `POST /v1/explain?method=${method}`);

/** @type {(network: Network, index: number) => string} */
export const labelOf = ({ passport: { labels } }, index) => labels[index] ?? String(index);

/** @type {(network: Network) => Layer[]} */
export const convolutions = ({ layers }) => layers.filter(({ op }) => op === "conv");

/**
 * The name of a layer's maps, after its activation.
 * @type {(layer: Pick<Layer, "name" | "op">) => string}
 */
export const mapsName = ({ name, op }) => (op === "conv" ? `${name}.act` : name);

/**
 * The layers that a layer reads; none where that is the picture.
 * @type {(network: Network, layer: Layer) => Layer[]}
 */
export function sourcesOf({ layers }, layer) {
  if (layer.reads) return layers.filter(({ name }) => layer.reads?.includes(name));
  return layers.slice(0, layers.indexOf(layer)).slice(-1);
}

/**
 * The convolution whose filters are, map for map, those of a layer: itself, or that before its poolings. null where
 * something else lies between.
 * @type {(network: Network, name: string) => Layer | null}
 */
export function filtersBehind(network, name) {
  let layer = network.layers.find((each) => each.name === name);
  while (layer && layer.op !== "conv") {
    const sources = sourcesOf(network, layer);
    if (!layer.op.endsWith("pool") || sources.length !== 1) return null;
    [layer] = sources;
  }
  return layer ?? null;
}

/**
 * The layers whose maps are shown side by side. Where all of them are too many, the last of each size, as far as they
 * go; or the one that is chosen.
 * @type {(network: Network, chosen: string) => Layer[]}
 */
export function shownLayers(network, chosen) {
  const all = network.layers.filter(({ op }) => op !== "linear");
  const one = all.find(({ name }) => name === chosen);
  if (one && !fits(all)) return [one];
  if (fits(all)) return all;
  const sizes = new Map(all.map((layer) => [layer.shape.slice(1).join(), layer]));
  /** @type {Layer[]} */
  const kept = [];
  for (const layer of [...sizes.values()].reverse()) if (fits([...kept, layer])) kept.unshift(layer);
  return all.filter((layer) => kept.includes(layer));
}

/** @type {(network: Network) => boolean} */
export const areAllShown = ({ layers }) => fits(layers.filter(({ op }) => op !== "linear"));

/** @type {(layer: Layer) => number} */
export const numbersOf = ({ shape }) => shape.reduce((size, side) => size * side, 1);

/** @type {(layers: Layer[]) => boolean} */
function fits(layers) {
  const numbers = layers.reduce((sum, layer) => sum + numbersOf(layer), 0);
  const tiles = layers.reduce((sum, { shape }) => sum + Math.min(shape[0], SHOWN_MAPS), 0);
  return layers.length < 2 || (numbers <= MOST_NUMBERS && tiles <= MOST_TILES);
}

/**
 * Whether levels are in the form that a network reads.
 * @type {(levels: Form, form: Form) => boolean}
 */
export function isOfForm(levels, form) {
  return (
    levels.width === form.width &&
    levels.height === form.height &&
    levels.channels === form.channels &&
    levels.isInk === form.isInk
  );
}
