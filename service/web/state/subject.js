// What is being looked at: ink, a file, a pattern or 28 x 28 levels; as a picture to post, and as the network saw it.

import { networkCall, want } from "./api.js";
import { shifted } from "../numbers/arithmetic.js";
import { INK_SIDE } from "../rail/drawing.js";
import { decodeSeen, pattern, SIDE } from "./picture.js";
import { extent } from "../numbers/scales.js";

let count = 0;

/** 28 x 28 levels as every call on a network takes them with prepare=none. */
function inputOf(levels) {
  count += 1;
  return {
    levels,
    width: SIDE,
    height: SIDE,
    id: count,
    unit: Float32Array.from(levels, (level) => Math.fround(level / 255)),
  };
}

/** The picture that a call would be sent, and whether the service has to find the digit in it; null when empty. */
export function posted(picture, pad) {
  count += 1;
  if (picture.kind === "pattern") return { picture: inputOf(pattern(picture.name)), isPrepared: false };
  if (picture.kind === "levels") return { picture: inputOf(picture.levels), isPrepared: false };
  if (picture.kind === "file")
    return { picture: { bytes: picture.bytes, name: picture.name, id: count }, isPrepared: true };
  if (!picture.strokes.length) return null;
  return { picture: { levels: pad.levels(), width: INK_SIDE, height: INK_SIDE, id: count }, isPrepared: true };
}

/** The request for the verdict. */
export function verdictWant(network, { picture, isPrepared }) {
  const options = isPrepared ? { prepared_image: true } : {};
  return want("verdict", networkCall("/v1/classify", network, picture, options, isPrepared));
}

/** The request for the verdict on what was shifted or changed, where anything was; `before` is the verdict without. */
export function editedWant(network, { input, base, verdict }, changes) {
  const before = verdict.result;
  if (changes.length) {
    const { query, ...call } = networkCall("/v1/what-if", network, input, {});
    return want("edited", { ...call, json: { ...query, changes } }, { before });
  }
  return input === base ? null : want("edited", networkCall("/v1/classify", network, input, {}), { before });
}

/** The verdict that is shown, and the one before a change where anything is changed: both of one picture. */
export function verdictsOf({ verdict, edited }) {
  return edited ? { before: edited.want.before, shown: edited.result } : { before: null, shown: verdict?.result ?? null };
}

/** The 28 x 28 of a verdict, once decoded. */
export async function seenBy({ result, want: { request } }) {
  const image = result.prepared?.image;
  return image ? inputOf(await decodeSeen(image)) : request.picture;
}

/** The same, moved by whole pixels. */
export function moved(base, shift) {
  return base && (shift[0] || shift[1]) ? inputOf(shifted(base.levels, shift)) : base;
}

/** The maps that are looked at: activations and pools, and sums before activation where they are shown. */
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
  if (data.input !== data.base) list.push(want("base_maps", mapsRequest(network, data.base, names, state.changes)));
  return list;
}

function mapsRequest(network, picture, layers, changes) {
  const call = networkCall("/v1/feature-maps", network, picture, { format: "npz", layers: layers.join(",") });
  return changes.length ? { ...call, query: {}, json: { ...call.query, layers, changes } } : call;
}

/** Take the batch of one off every array, and remember the least and greatest values seen, for the fixed range. */
export function keepMaps(data, lane, entry) {
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
