// What is looked at (ink, a file, a pattern or levels), as a picture to post and as the network saw it.

import { networkCall, want } from "./api.js";
import { shifted } from "../numbers/arithmetic.js";
import { isOfForm, kindOf, mapsName, numbersOf, shownLayers } from "./kind.js";
import { decodeSeen, lightOf, NUMBER_SIDE, pattern } from "./picture.js";
import { extent } from "../numbers/scales.js";

/** @import { Levels } from "../numbers/types.d.ts" */
/** @import { Call, Change, Chosen, Data, Entry, Form, Input, Kind } from "./types.d.ts" */
/** @import { Arrays, Model, Network, Picture, Verdict, VerdictEntry, Want } from "./types.d.ts" */
/** @import { PadTools } from "../shared/types.d.ts" */

const MOST_BEFORE = 200_000; // sums before activation that are asked for to be held against the page's own
const MOST_PLAIN = 100; // classes; of more the scores come when they are asked for
let count = 0;

/**
 * Levels as every call on a network takes them with prepare=none. `unit` has them in 0..1, a plane for each channel.
 * @type {(levels: Levels) => Input}
 */
export function inputOf(form) {
  count += 1;
  const { levels, width, height, channels } = form;
  const area = width * height;
  const unit = new Float32Array(levels.length);
  for (let i = 0; i < unit.length; i += 1) unit[i] = levels[(i % area) * channels + Math.floor(i / area)] / 255;
  return { ...form, id: count, unit };
}

/**
 * The levels of a picture that is made of them.
 * @type {(picture: Extract<Chosen, { kind: "pattern" | "levels" }>, form: Form) => Levels}
 */
export function levelsOf(picture, form) {
  return picture.kind === "pattern" ? pattern(picture.name, form) : picture;
}

/**
 * The picture that a call would be sent, and whether the service has to bring it to the network's form; null when empty.
 * @type {(picture: Chosen, pad: PadTools, kind: Kind) => { picture: Picture, isPrepared: boolean } | null}
 */
export function posted(picture, pad, { form }) {
  count += 1;
  if (picture.kind === "pattern" || picture.kind === "levels") {
    const levels = levelsOf(picture, form);
    if (isOfForm(levels, form)) return { picture: inputOf(levels), isPrepared: false };
    // Levels of ink are light as a picture; which of both is ink, the service sees by itself.
    const light = levels.isInk ? { ...levels, isInk: false, levels: levels.levels.map((ink) => 255 - ink) } : levels;
    return { picture: { ...light, id: count }, isPrepared: true };
  }
  if (picture.kind === "file")
    return { picture: { bytes: picture.bytes, name: picture.name, id: count }, isPrepared: true };
  if (!picture.strokes.length) return null;
  return { picture: { ...pad.ink(), id: count }, isPrepared: true };
}

/**
 * The picture in which several digits are looked for; null where it cannot have any.
 * @type {(picture: Chosen, whole: Picture, pad: { fine(): Uint8Array }) => Picture | null}
 */
export function postedWhole(picture, whole, pad) {
  if (picture.kind === "file") return whole;
  if (picture.kind !== "strokes") return null;
  count += 1;
  return { levels: pad.fine(), width: NUMBER_SIDE, height: NUMBER_SIDE, channels: 1, id: count };
}

/**
 * The request for the verdict.
 * @type {(network: Network, subject: { picture: Picture, isPrepared: boolean }) => Want}
 */
export function verdictWant(network, { picture, isPrepared }) {
  const options = { ...(isPrepared ? { prepared_image: true } : {}), ...whole(network) };
  return want("verdict", networkCall("/v1/classify", network, picture, options, isPrepared));
}

/** @type {(network: Network) => { full?: true }} */
const whole = (network) => (kindOf(network).labels.length > MOST_PLAIN ? { full: true } : {});

/**
 * The request for the verdict on a shifted picture or a changed network; null where neither is. `before` is the
 * verdict without.
 * @type {(network: Network, data: Data, changes: Change[]) => Want | null}
 */
export function editedWant(network, { input, base, verdict }, changes) {
  if (!input || !verdict) return null;
  const before = verdict.result;
  if (changes.length) {
    const { query, ...call } = networkCall("/v1/what-if", network, input, whole(network));
    return want("edited", { ...call, json: { ...query, changes } }, { before });
  }
  return input === base ? null : want("edited", networkCall("/v1/classify", network, input, whole(network)), { before });
}

/**
 * The verdict that is shown and, where anything is changed, the one before. Both are of one picture.
 * @type {(data: Data) => { before: Verdict | null, shown: Verdict | null }}
 */
export function verdictsOf({ verdict, edited }) {
  return edited
    ? { before: edited.before ?? edited.want.before, shown: edited.result }
    : { before: null, shown: verdict?.result ?? null };
}

/**
 * What the network saw of a verdict's picture, once decoded.
 * @type {(entry: VerdictEntry, form: Form) => Promise<Input>}
 */
export async function seenBy({ result, want: { request } }, { channels, isInk }) {
  const image = result.prepared?.image;
  // A picture that needs no preparing is posted as the network reads it.
  return image ? inputOf({ ...(await decodeSeen(image, channels)), isInk }) : /** @type {Input} */ (request.picture);
}

/** @type {WeakMap<Input, Input>} */
const greys = new WeakMap();

/**
 * The same in grey, which a filter of one plane is laid on.
 * @type {(input: Input) => Input}
 */
export function inGrey(input) {
  const { levels, width, height, channels, isInk } = input;
  if (channels === 1) return input;
  const known = greys.get(input);
  if (known) return known;
  const light = new Uint8Array(width * height).map((_, i) => lightOf(levels.subarray(3 * i, 3 * i + 3)));
  const grey = inputOf({ width, height, channels: 1, isInk, levels: light });
  greys.set(input, grey);
  return grey;
}

/**
 * The same, moved by whole pixels.
 * @type {(base: Input, shift: number[]) => Input}
 */
export function moved(base, shift) {
  if (!base || (!shift[0] && !shift[1])) return base;
  const { width, height, channels, isInk } = base;
  return inputOf({ width, height, channels, isInk, levels: shifted(base, shift) });
}

/**
 * The maps that are looked at: activations and pools, and sums before activation where they are shown.
 * @type {(model: Model) => Want[]}
 */
export function mapWants({ state, data, network }) {
  const layers = shownLayers(network, state.layer);
  if (!data.input || !layers.length) return [];
  const convolutions = layers.filter(({ op, maps }) => op === "conv" && maps[0].endsWith(".pre"));
  const before = state.before
    ? convolutions.map(({ name }) => name)
    : convolutions
        .filter((layer) => layer.name === (state.at?.layer || convolutions[0].name) && numbersOf(layer) <= MOST_BEFORE)
        .map(({ name }) => name);
  const names = layers.map(mapsName);
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
