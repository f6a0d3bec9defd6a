// what-if/ is the view of changes: a switch for every filter, its strength, and the verdict before and after.

import { begun, caption, changes, make, set, write } from "../shared/dom.js";
import { enter, roving } from "../shared/grid.js";
import { heatmap, paint, resize } from "../shared/heatmap.js";
import { mapOf, sharesOf } from "../numbers/arithmetic.js";
import { colourTable, extent, fixed, percent, shownRange, short, signed } from "../numbers/scales.js";
import { allOff, changeOf, toggled, withChange } from "../state/state.js";
import { mapWants, verdictsOf } from "../state/subject.js";
import { CAPTIONS } from "../shared/words.js";

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
  root.append(
    describe(context),
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
  return { draw: (model) => draw(view, model), wants: mapWants, takes };
}

/** @type {(context: Context) => HTMLElement} */
function describe(context) {
  const half = () => {
    const { name, shape } = context.network().layers[0];
    const even = [...Array(shape[0]).keys()].filter((filter) => filter % 2 === 0);
    context.set({ changes: allOff(name, even) });
  };
  return caption(CAPTIONS["what-if"], half, () => context.set({ changes: [] }));
}

/** @type {(view: WhatIfView, network: Network) => void} */
function build(view, network) {
  view.network = network;
  view.layers = network.layers.filter(({ op }) => op === "conv").map((info) => buildLayer(view, info));
  view.switches.replaceChildren(...view.layers.map(({ root }) => root));
}

/** @type {(view: WhatIfView, info: Layer) => LayerSwitches} */
function buildLayer(view, info) {
  const { context } = view;
  const [count, rows, columns] = info.shape;
  const side = Math.max(rows, columns) * Math.max(1, Math.floor(TILE / Math.max(rows, columns)));
  const tiles = Array.from({ length: count }, (_, filter) => {
    const canvas = heatmap();
    resize(canvas, side, side);
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
    make("div", { class: "dock-head" }, make("h2", {}, `${info.name}, ${count} filters`), all),
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
  if (view.network !== network) build(view, network);
  if (view.isNew(data.maps, state.changes, theme)) {
    for (const layer of view.layers) drawLayer(layer, state, data, theme);
    drawList(view, state.changes);
  }
  const { before, shown } = verdictsOf(data);
  if (view.tableIsNew(before, shown)) drawTable(view, before, shown, network);
}

/** @type {(layer: LayerSwitches, state: State, data: Data, theme: Theme) => void} */
function drawLayer({ info, tiles, all }, { changes: made }, data, theme) {
  const maps = data.maps?.arrays[`${info.name}.act`];
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
      make("p", {}, `${made.length} filters are changed.`),
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
  const change = before.digit === after.digit ? `Still ${after.digit}` : `${before.digit} becomes ${after.digit}`;
  write(view.headline, `${changedFrom ? change : after.digit}, confidence ${percent(after.confidence)}`);
  const [sharesBefore, shares] = [sharesOf(before, network), sharesOf(after, network)];
  /** @type {(name: string, ...texts: string[]) => HTMLElement} */
  const row = (name, ...texts) =>
    make(
      "tr",
      {},
      make("th", { scope: "row" }, name),
      texts.map((text) => make("td", {}, text)),
    );
  const rows = before.logits.map((logit, digit) =>
    row(
      String(digit),
      percent(sharesBefore[digit]),
      percent(shares[digit]),
      fixed(after.logits[digit], 2),
      signed(after.logits[digit] - logit),
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
        ["digit", "share before", "share after", "logit after", "change of the logit"].map((text) =>
          make("th", { scope: "col" }, text),
        ),
      ),
    ),
    make("tbody", {}, rows),
  );
}
