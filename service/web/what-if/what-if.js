// what-if/ is the view of changes: a switch for every filter, its strength, and the verdict before and after.

import { begun, caption, changes, make, set, write } from "../shared/dom.js";
import { enter, roving } from "../shared/grid.js";
import { heatmap, paint, resize } from "../shared/heatmap.js";
import { mapOf, ranking, sharesOf } from "../numbers/arithmetic.js";
import { colourTable, extent, fixed, percent, shownRange, short, signed } from "../numbers/scales.js";
import { areAllShown, convolutions, kindOf, labelOf, mapsName, numbersOf, SHOWN_CLASSES, SHOWN_MAPS, shownLayers } from "../state/kind.js";
import { allOff, changeOf, toggled, withChange } from "../state/state.js";
import { mapWants, verdictsOf } from "../state/subject.js";
import { CAPTIONS, counted } from "../shared/words.js";

/** @import { Layer, Theme } from "../numbers/types.d.ts" */
/** @import { Action, Change, Data, Model, Network, State, Verdict } from "../state/types.d.ts" */
/** @import { Context, View } from "../shared/types.d.ts" */
/** @import { LayerSwitches, WhatIfView } from "./types.d.ts" */

const TILE = 48;

/** @type {(root: HTMLElement, context: Context) => View} */
export function create(root, context) {
  /** @type {WhatIfView} */
  const view = begun({ context, layers: [], isNew: changes(), tableIsNew: changes() });
  view.switches = make("div", { class: "result", "data-lane": "maps" });
  view.list = make("div", { class: "result" });
  view.table = make("table", {});
  view.headline = make("h2", { id: "after" }, "");
  view.chosenBox = make("div", { hidden: true });
  root.append(
    describe(context),
    view.chosenBox,
    make(
      "div",
      { class: "columns split" },
      make("div", { class: "result wide" }, view.switches),
      make(
        "div",
        { class: "result" },
        make(
          "div",
          { class: "result", "data-lane": "verdict", "data-also": "edited" },
          view.headline,
          make("div", { class: "scroll" }, view.table),
        ),
        view.list,
      ),
    ),
  );
  const takes = [{ name: "what-if", record: () => context.data.edited?.want.request, formats: ["json"] }];
  /** @type {View["wants"]} */
  const wants = (model) => mapWants({ ...model, state: { ...model.state, layer: layerOf(model.network, model.state.layer) } });
  return { draw: (model) => draw(view, model), wants, takes };
}

/** @type {(context: Context) => HTMLElement} */
function describe(context) {
  const half = () => {
    const [{ name, shape }] = convolutions(context.network());
    const even = [...Array(shape[0]).keys()].filter((filter) => filter % 2 === 0);
    context.set({ changes: allOff(name, even) });
  };
  return caption(CAPTIONS["what-if"], half, () => context.set({ changes: [] }));
}

/** @type {(view: WhatIfView, network: Network) => void} */
function build(view, network) {
  view.network = network;
  const shown = shownLayers(network, layerOf(network, view.chosen ?? ""));
  view.layers = shown.filter(({ op }) => op === "conv").map((info) => buildLayer(view, info));
  view.switches.replaceChildren(...view.layers.map(({ root }) => root));
}

/**
 * The layer that is chosen of a network with more than there is room for; where there are no filters among those that are
 * shown else, the one with the fewest cells.
 * @type {(network: Network, chosen: string) => string}
 */
function layerOf(network, chosen) {
  if (shownLayers(network, chosen).some(({ op }) => op === "conv")) return chosen;
  return [...convolutions(network)].sort((a, b) => numbersOf(a) - numbersOf(b))[0]?.name ?? "";
}

/**
 * The choice of a layer of filters, for a network with more than there is room for.
 * @type {(view: WhatIfView, network: Network, state: State) => Promise<void>}
 */
async function drawChoice(view, network, state) {
  const { createLayerChoice } = await import("../shared/layers.js");
  view.choice ??= createLayerChoice(view.context, view.chosenBox, true);
  view.choice.draw(network, state);
}

/** @type {(view: WhatIfView, info: Layer) => LayerSwitches} */
function buildLayer(view, info) {
  const { context } = view;
  const [filters, rows, columns] = info.shape;
  const count = context.network().calls ? Math.min(filters, SHOWN_MAPS) : filters;
  const longer = Math.max(rows, columns);
  const side = longer > TILE ? TILE : longer * Math.floor(TILE / longer);
  const tiles = Array.from({ length: count }, (_, filter) => {
    const canvas = heatmap();
    resize(canvas, side * (columns / longer), side * (rows / longer));
    const button = make(
      "button",
      {
        class: "map",
        role: "switch",
        "aria-checked": "true",
        "aria-label": `${info.name}, filter ${filter}`,
        onclick: () => toggle(context, info.name, filter),
      },
      canvas,
    );
    return { button, canvas, root: make("span", { class: "switch" }, button) };
  });
  const group = make(
    "div",
    { class: "switches", role: "group", "aria-label": info.name },
    tiles.map(({ root }) => root),
  );
  enter(
    tiles.map(({ button }) => button),
    tiles[0].button,
  );
  roving(group, () => Math.max(1, Math.floor(group.clientWidth / (side + 6))));
  const all = make("button", { onclick: () => switchAll(context, info) }, "All off");
  const root = make(
    "div",
    { class: "result" },
    make("div", { class: "dock-head" }, make("h2", {}, `${info.name}, ${counted(filters, "filter")}`), all),
    count < filters ? make("p", { class: "muted" }, `The first ${count} are shown.`) : null,
    group,
  );
  return { info, tiles, root, all };
}

/** @type {(context: Context, layer: string, filter: number) => void} */
function toggle(context, layer, filter) {
  context.set({ changes: toggled(context.store.get().changes, layer, filter) });
}

/** @type {(context: Context, layer: Layer) => void} */
function switchAll(context, { name, shape }) {
  const others = context.store.get().changes.filter(({ layer }) => layer !== name);
  const off = allOff(name, [...Array(shape[0]).keys()]);
  const isAllOff = context.store.get().changes.length - others.length === shape[0];
  context.set({ changes: isAllOff ? others : [...others, ...off] });
}

/** @type {(view: WhatIfView, model: Model) => void} */
function draw(view, { state, data, network, theme }) {
  if (view.network !== network || view.chosen !== state.layer) {
    view.chosen = state.layer;
    build(view, network);
  }
  if (view.isNew(data.maps, state.changes, theme)) {
    for (const layer of view.layers) drawLayer(layer, state, data, theme);
    drawList(view, state.changes);
  }
  set(view.chosenBox, "hidden", areAllShown(network));
  if (!areAllShown(network)) drawChoice(view, network, state);
  const { before, shown } = verdictsOf(data);
  if (view.tableIsNew(before, shown)) drawTable(view, before, shown, network);
}

/** @type {(layer: LayerSwitches, state: State, data: Data, theme: Theme) => void} */
function drawLayer({ info, tiles, all }, { changes: made }, data, theme) {
  const maps = data.maps?.arrays[mapsName(info)];
  const range = maps && shownRange("diverging", extent(maps.data));
  let off = 0;
  tiles.forEach(({ button, canvas, root }, filter) => {
    const change = changeOf(made, info.name, filter);
    const isOff = change?.action === "off";
    off += isOff ? 1 : 0;
    set(button, "aria-checked", String(!isOff));
    set(button, "class", `map${change && !isOff ? " changed" : ""}${isOff ? " hatched" : ""}`);
    root.classList.toggle("off", isOff);
    if (maps && range) {
      const { rows, columns, start } = mapOf(maps, filter);
      paint(canvas, maps.data, rows, columns, colourTable("diverging", theme), range, start);
    }
  });
  write(all, off === tiles.length ? "All on" : "All off");
}

/** @type {(view: WhatIfView, made: Change[]) => void} */
function drawList(view, made) {
  const { context } = view;
  if (made.length > 12) {
    view.list.replaceChildren(
      make("p", {}, `${counted(made.length, "filter")} are changed.`),
      make("button", { onclick: () => context.set({ changes: [] }) }, "Put all back"),
    );
    return;
  }
  view.list.replaceChildren(...made.map((change) => changeRow(context, change)));
}

/** @type {(context: Context, change: Change) => HTMLElement} */
function changeRow(context, change) {
  const { layer, filter, action } = change;
  const factor = change.action === "scale" ? change.factor : 1;
  /** @type {(next: Action | null) => void} */
  const replace = (next) => context.set({ changes: withChange(context.store.get().changes, layer, filter, next) });
  const box = make("input", {
    type: "range",
    min: "-1",
    max: "3",
    step: "0.1",
    value: action === "off" ? 0 : factor,
    "aria-label": `Strength of ${layer}, filter ${filter}`,
  });
  box.addEventListener("change", () =>
    replace(box.valueAsNumber === 0 ? { action: "off" } : { action: "scale", factor: box.valueAsNumber }),
  );
  const words = { off: "off", scale: `× ${short(factor)}`, replace: "your filter" }[action];
  return make(
    "p",
    { class: "chip" },
    make("span", {}, `${layer}/${filter}: ${words}`),
    action === "replace" ? "" : make("span", { class: "scale" }, "−1", box, "3 ×"),
    make("button", { class: "link", onclick: () => replace(null) }, "put back"),
  );
}

/** @type {(view: WhatIfView, changedFrom: Verdict | null, after: Verdict | null, network: Network) => void} */
function drawTable(view, changedFrom, after, network) {
  if (!after) {
    write(view.headline, "");
    view.table.replaceChildren();
    return;
  }
  const before = changedFrom || after;
  const change = before.class === after.class ? `Still ${after.label}` : `${before.label} becomes ${after.label}`;
  write(view.headline, `${changedFrom ? change : after.label}, confidence ${percent(after.confidence)}`);
  const [sharesBefore, shares] = [sharesOf(before, network), sharesOf(after, network)];
  /** @type {(name: string, ...texts: string[]) => HTMLElement} */
  const row = (name, ...texts) =>
    make(
      "tr",
      {},
      make("th", { scope: "row" }, name),
      texts.map((text) => make("td", {}, text)),
    );
  const { isDigits, labels } = kindOf(network);
  const first = [...ranking(shares).slice(0, SHOWN_CLASSES), ...ranking(sharesBefore).slice(0, SHOWN_CLASSES)];
  const rows = (isDigits ? [...labels.keys()] : [...new Set(first)]).map((index) =>
    row(
      labelOf(network, index),
      percent(sharesBefore[index]),
      percent(shares[index]),
      fixed(after.logits[index], 2),
      signed(after.logits[index] - before.logits[index]),
    ),
  );
  view.table.replaceChildren(
    make("caption", { class: "unseen" }, "Before and after the changes"),
    make(
      "thead",
      {},
      make(
        "tr",
        {},
        [isDigits ? "digit" : "class", "share before", "share after", "logit after", "change of the logit"].map((text) =>
          make("th", { scope: "col" }, text),
        ),
      ),
    ),
    make("tbody", {}, rows),
  );
}
