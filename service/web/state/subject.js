// What is looked at (ink, a file, a pattern or 28 x 28 levels), as a picture to post and as the network saw it.

import { networkCall, want } from "./api.js";
import { shifted } from "../numbers/arithmetic.js";
import { decodeSeen, INK_SIDE, NUMBER_SIDE, pattern, SIDE } from "./picture.js";
import { extent } from "../numbers/scales.js";

/** @import { Call, Change, Chosen, Data, Entry, Input } from "./types.d.ts" */
/** @import { Arrays, Model, Network, Picture, Verdict, VerdictEntry, Want } from "./types.d.ts" */

let count = 0;

/**
 * 28 x 28 levels as every call on a network takes them with prepare=none.
 * @type {(levels: Uint8Array) => Input}
 */
export function inputOf(levels) {
  count += 1;
  return {
    levels,
    width: SIDE,
    height: SIDE,
    id: count,
    unit: Float32Array.from(levels, (level) => Math.fround(level / 255)),
  };
}

/**
 * The 28 x 28 levels of a picture that is made of them.
 * @type {(picture: Extract<Chosen, { kind: "pattern" | "levels" }>) => Uint8Array}
 */
export function levelsOf(picture) {
  return picture.kind === "pattern" ? pattern(picture.name) : picture.levels;
}

/**
 * The picture that a call would be sent, and whether the service has to find the digit in it; null when empty.
 * @type {(picture: Chosen, pad: { levels(): Uint8Array }) => { picture: Picture, isPrepared: boolean } | null}
 */
export function posted(picture, pad) {
  count += 1;
  if (picture.kind === "pattern" || picture.kind === "levels")
    return { picture: inputOf(levelsOf(picture)), isPrepared: false };
  if (picture.kind === "file")
    return { picture: { bytes: picture.bytes, name: picture.name, id: count }, isPrepared: true };
  if (!picture.strokes.length) return null;
  return { picture: { levels: pad.levels(), width: INK_SIDE, height: INK_SIDE, id: count }, isPrepared: true };
}

/**
 * The picture in which several digits are looked for; null where it cannot have any.
 * @type {(picture: Chosen, whole: Picture, pad: { fine(): Uint8Array }) => Picture | null}
 */
export function postedWhole(picture, whole, pad) {
  if (picture.kind === "file") return whole;
  if (picture.kind !== "strokes") return null;
  count += 1;
  return { levels: pad.fine(), width: NUMBER_SIDE, height: NUMBER_SIDE, id: count };
}

/**
 * The request for the verdict.
 * @type {(network: Network, subject: { picture: Picture, isPrepared: boolean }) => Want}
 */
export function verdictWant(network, { picture, isPrepared }) {
  const options = isPrepared ? { prepared_image: true } : {};
  return want("verdict", networkCall("/v1/classify", network, picture, options, isPrepared));
}

/**
 * The request for the verdict on a shifted picture or a changed network; null where neither is. `before` is the
 * verdict without.
 * @type {(network: Network, data: Data, changes: Change[]) => Want | null}
 */
export function editedWant(network, { input, base, verdict }, changes) {
  if (!input || !verdict) return null;
  const before = verdict.result;
  if (changes.length) {
    const { query, ...call } = networkCall("/v1/what-if", network, input, {});
    return want("edited", { ...call, json: { ...query, changes } }, { before });
  }
  return input === base ? null : want("edited", networkCall("/v1/classify", network, input, {}), { before });
}

/**
 * The verdict that is shown and, where anything is changed, the one before. Both are of one picture.
 * @type {(data: Data) => { before: Verdict | null, shown: Verdict | null }}
 */
export function verdictsOf({ verdict, edited }) {
  return edited
    ? { before: edited.want.before, shown: edited.result }
    : { before: null, shown: verdict?.result ?? null };
}

/**
 * The 28 x 28 of a verdict, once decoded.
 * @type {(entry: VerdictEntry) => Promise<Input>}
 */
export async function seenBy({ result, want: { request } }) {
  const image = result.prepared?.image;
  // A picture that needs no preparing is posted as the network reads it.
  return image ? inputOf(await decodeSeen(image)) : /** @type {Input} */ (request.picture);
}

/**
 * The same, moved by whole pixels.
 * @type {(base: Input, shift: number[]) => Input}
 */
export function moved(base, shift) {
  return base && (shift[0] || shift[1]) ? inputOf(shifted(base.levels, shift)) : base;
}

/**
 * The maps that are looked at: activations and pools, and sums before activation where they are shown.
 * @type {(model: Model) => Want[]}
 */
export function mapWants({ state, data, network }) {
  if (!data.input) return [];
  const convolutions = network.layers.filter(({ op }) => op === "conv").map(({ name }) => name);
  const before = state.before
    ? convolutions
    : convolutions.filter((name) => name === (state.at?.layer || convolutions[0]));
  const names = network.layers.flatMap(({ name, op }) =>
    op === "conv" ? [`${name}.act`] : op === "linear" ? [] : [name],
  );
  const list = [
    want("maps", mapsRequest(network, data.input, [...names, ...before.map((name) => `${name}.pre`)], state.changes)),
  ];
  if (data.base && data.input !== data.base)
    list.push(want("base_maps", mapsRequest(network, data.base, names, state.changes)));
  return list;
}

/** @type {(network: Network, picture: Input, layers: string[], changes: Change[]) => Call<Input>} */
function mapsRequest(network, picture, layers, changes) {
  const call = networkCall("/v1/feature-maps", network, picture, { format: "npz", layers: layers.join(",") });
  return changes.length ? { ...call, query: {}, json: { ...call.query, layers, changes } } : call;
}

/**
 * Take the batch of one off every array, and remember the least and greatest values seen, for the fixed range.
 * @type {(data: Data, lane: "maps" | "base_maps", entry: Entry<Arrays, Call<Input>>) => void}
 */
export function keepMaps(data, lane, entry) {
  /** @type {Arrays} */
  const arrays = {};
  for (const [name, { shape, data: values }] of Object.entries(entry.answer)) {
    arrays[name] = { shape: shape.slice(1), data: values };
    const layer = name.split(".")[0];
    const [lo, hi] = data.fixed[layer] || [0, 0];
    const [least, most] = extent(values);
    if (least < lo || most > hi) data.fixed = { ...data.fixed, [layer]: [Math.min(lo, least), Math.max(hi, most)] };
  }
  data[lane] = { ...entry, arrays };
}
