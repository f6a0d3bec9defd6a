// What a score owes to each part of the picture, measured by covering it (occlusion, RISE), or read off the maps of a layer
// (CAM). It is told of any network that was adopted, also where its scores are not split into shares; and here is said
// what of the view a network does not answer.

import { networkCall, want } from "../state/api.js";
import { changes, make, select, set, write } from "../shared/dom.js";
import { heatmap, legend, paint, paintPicture, resize } from "../shared/heatmap.js";
import { colourTable, extent, shownRange } from "../numbers/scales.js";
import { kindOf, labelOf, methodReason } from "../state/kind.js";
import { counted, UNCHANGED } from "../shared/words.js";

/** @import { Context } from "../shared/types.d.ts" */
/** @import { Call, Covered, Input, Model, Network } from "../state/types.d.ts" */
/** @import { Covering } from "./types.d.ts" */

const SIDE = 196;
/** @type {[method: string, words: string][]} */
const METHODS = [
  ["occlusion", "covering a window"],
  ["rise", "covering at random (RISE)"],
  ["cam", "the maps of its last layer (CAM)"],
];

/** @type {(context: Context) => Covering} */
export function createCovering(context) {
  let method = "";
  const [isNew, networkIsNew] = [changes(), changes()];
  const under = heatmap({ class: "heat under" });
  const map = heatmap();
  const scale = legend();
  const caption = make("figcaption", { class: "muted" }, "");
  const refused = make("p", { class: "muted" }, "");
  const unchanged = make("p", { class: "muted unchanged", hidden: true }, UNCHANGED);
  const chosen = select("How", [["", "choose…"], ...METHODS], (value) => {
    method = value;
    context.redraw();
  });
  Object.assign(map.style, { position: "absolute", inset: "0", width: "100%", height: "100%", opacity: "0.75" });
  const framed = make("div", { class: "framed" }, under, map);
  const figure = make("figure", { class: "result fit", "data-lane": "covered", hidden: true }, framed, scale.root, caption);
  const title = make("h3", {}, "What each part of the picture is worth");
  const root = make("section", { class: "result", id: "covering" }, title, chosen.field, refused, unchanged, figure);

  // Only covering takes a changed network; CAM walks back through the one that was adopted.
  const takesChanges = () => method !== "cam";

  /** @type {Covering["wants"]} */
  const wants = (network, input, target, made) => {
    if (!method || methodReason(network, method)) return [];
    const call = networkCall("/v1/explain", network, input, { method: method, target });
    const edited = takesChanges() && made.length ? { ...call, query: {}, json: { ...call.query, changes: made } } : call;
    return [want("covered", edited, { heavy: true })];
  };

  /** @type {(model: Model) => void} */
  const draw = ({ data, network, state, theme }) => {
    if (networkIsNew(network)) {
      const { width, height } = kindOf(network).form;
      const factor = SIDE / Math.max(width, height);
      resize(under, width * factor, height * factor);
      // Where nothing else is told, covering is.
      method = methodReason(network, "ledger") ? "occlusion" : "";
      context.redraw(); // it is asked in the next frame
    }
    chosen.box.value = method;
    const reason = method && methodReason(network, method);
    write(refused, reason ? `This is not told of ${network.name}: ${reason}.` : "");
    set(figure, "hidden", !method || Boolean(reason));
    set(unchanged, "hidden", !method || Boolean(reason) || takesChanges() || !state.changes.length);
    if (!data.covered || !isNew(data.covered, theme)) return;
    drawMap(data.covered.answer.results[0], data.covered.want.request, network, theme);
  };

  /** @type {(answer: Covered, request: Call<Input>, network: Network, theme: Model["theme"]) => void} */
  function drawMap(answer, { picture }, network, theme) {
    const { map: whole, centred, method: asked, target } = answer;
    const rows = centred?.map ?? whole;
    const values = rows.flat();
    const range = shownRange("diverging", extent(values));
    paintPicture(under, picture, theme);
    paint(map, values, rows.length, rows[0].length, colourTable("diverging", theme), range);
    const label = labelOf(network, target);
    scale.draw("diverging", theme, range, `of the logit of ${label}`);
    write(caption, wordsOf(answer, asked, label));
  }
  return { root, wants, words, draw };
}

/**
 * What of this view a network does not answer, and what is to be known of what it does.
 * @type {Covering["words"]}
 */
function words(network, ledger, made, edits) {
  /** @type {[method: string, what: string][]} */
  const parts = [
    ["ledger", "Its scores are not split into the shares of filters"],
    ["pixels", "They are not credited to pixels"],
    ["deciding-set", "No smallest set of filters is looked for"],
  ];
  const refused = parts.map(([method, what]) => [what, methodReason(network, method)]).filter(([, reason]) => reason);
  const told = refused.map(([what, reason], i) => {
    const isSame = i > 0 && refused[i - 1][1] === reason;
    return isSame ? `${what}, either.` : `${what}: ${reason}.`;
  });
  if (ledger?.exactness === "gates")
    told.push("The shares add up on this picture, its gates held still; without a filter others would open and close.");
  const others = made.filter(({ layer, action }) => layer !== edits || action !== "off");
  if (others.length && ledger)
    told.push(
      "The shares are of the network as it was adopted, without the changes: these count in the what-if, and where the picture is covered.",
    );
  return told.join(" ");
}

/** @type {(answer: Covered, method: string, label: string) => string} */
function wordsOf({ layer, count, masks, window }, method, label) {
  if (method === "occlusion")
    return `What ${label} loses where a window of ${window?.join(" × ")} is covered, in ${counted(count ?? 0, "place")}. Blue counts for it.`;
  if (method === "rise") return `How much more ${label} gets with a place in sight than covered, of ${counted(masks ?? 0, "random cover")}.`;
  return `What the maps of ${layer} give to ${label}, place by place.`;
}
