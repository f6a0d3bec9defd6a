// filters/ is the view of what the network has learnt: its filters, a card of each, and how it behaves on a data set.

import { ranking } from "../numbers/arithmetic.js";
import { want } from "../state/api.js";
import { begun, caption, changes, choice, make, select, set, term, write } from "../shared/dom.js";
import { enter, roving } from "../shared/grid.js";
import { heatmap, legend, numbers, paint, resize } from "../shared/heatmap.js";
import { colourTable, extent, fixed, plainPercent, shownRange, short } from "../numbers/scales.js";
import { convolutions, kindOf, labelOf, reasonOf, sourcesOf } from "../state/kind.js";
import { isOff, toggled } from "../state/state.js";
import { CAPTIONS, counted, refusal } from "../shared/words.js";

/** @import { Layer, Theme } from "../numbers/types.d.ts" */
/** @import { Card, CardedFilter, Cards, FilterReport, Model } from "../state/types.d.ts" */
/** @import { Network, Request, Rows, State, Want } from "../state/types.d.ts" */
/** @import { Context, View } from "../shared/types.d.ts" */
/** @import { FiltersView, Mosaic, Reported } from "./types.d.ts" */

const TILE = 64;
const BARS = 46; // pixels from the least to the greatest of the bars
const NAMED = 5; // classes that are told where they have names
const REPORT = "GET /v1/models/NAME/report";
const SHOWN = 256; // filters of a layer
const EXPLAINED = new Set(["bias", "coherence", "separable", "silent", "d′", "selectivity", "Gabor wave"]);

/** @type {(root: HTMLElement, context: Context) => View} */
export function create(root, context) {
  /** @type {FiltersView} */
  const view = begun({ context, layer: null, chosen: 0, tiles: [] });
  Object.assign(view, { isNew: changes(), cardIsNew: changes(), blanksAreNew: changes() });
  view.picker = select("Layer", [], (layer) => {
    Object.assign(view, { layer, chosen: 0 });
    context.redraw();
  });
  view.words = make("p", { class: "muted" }, "");
  view.tilesBox = make("div", { class: "switches", role: "group", "aria-label": "Filters" });
  view.legend = legend();
  view.card = make("div", { class: "card", "data-lane": "cards" });
  const record = () => cardsRequest(view, context.network());
  const takes = [{ name: "filters", record, formats: ["png", "npz", "json"] }];
  root.append(
    caption(CAPTIONS.filters),
    make("div", { class: "controls" }, view.picker.field),
    make(
      "div",
      { class: "columns split" },
      make(
        "div",
        { class: "result", "data-lane": "cards" },
        view.words,
        view.tilesBox,
        make("div", { class: "fit" }, view.legend.root),
      ),
      view.card,
    ),
  );
  roving(view.tilesBox, () => Math.max(1, Math.floor(view.tilesBox.clientWidth / (TILE + 6))));
  return { draw: (model) => draw(view, model), wants: (model) => wants(view, model), takes };
}

/** @type {(view: FiltersView, network: Network) => Request} */
function cardsRequest({ layer }, network) {
  const path = `/v1/models/${network.name}/layers/${layerOf(layer, network)}/filters`;
  return { path, query: { version: network.version, card: true } };
}

/**
 * The layer that is shown: of another network than the one it was chosen of, the first.
 * @type {(chosen: string | null, network: Network) => string}
 */
function layerOf(chosen, network) {
  const all = convolutions(network);
  return (all.find(({ name }) => name === chosen) ?? all[0]).name;
}

/** @type {(view: FiltersView, model: Model) => Want[]} */
function wants(view, { network }) {
  const layer = layerOf(view.layer, network);
  const cards = want("cards", cardsRequest(view, network));
  if (reasonOf(network, REPORT)) return [cards];
  return [
    cards,
    want(
      "report",
      { path: `/v1/models/${network.name}/report`, query: { version: network.version, layer } },
      { isOptional: true },
    ),
  ];
}

/** @type {(view: FiltersView, model: Model) => void} */
function draw(view, { state, data, network, theme }) {
  const layers = convolutions(network);
  if (view.network !== network) {
    Object.assign(view, { network, layer: layers[0].name, chosen: 0 });
    view.picker.box.replaceChildren(
      ...layers.map(({ name, shape, kernel }) => choice([name, `${name}: ${shape[0]} of ${kernel.join(" × ")}`])),
    );
  }
  view.picker.box.value = view.layer ?? "";
  const answer = data.cards?.answer;
  if (answer?.layer !== view.layer) {
    const layer = layers.find(({ name }) => name === view.layer) ?? layers[0];
    if (view.blanksAreNew(layer)) drawBlanks(view, layer);
    view.isNew(null);
    view.cardIsNew(null);
  }
  if (!answer || answer.layer !== view.layer) return;
  view.blanksAreNew(null);
  const { error } = view.context.lanes.standing("report");
  if (view.isNew(answer, theme)) drawTiles(view, answer, theme);
  if (view.cardIsNew(answer, view.chosen, theme, data.report, error, state.changes)) {
    view.tiles.forEach(({ button }, i) => set(button, "aria-pressed", String(i === view.chosen)));
    drawCard(view, answer.filters[view.chosen], state, { answer: data.report?.answer, error }, theme);
  }
}

/**
 * Weights of one filter as a plane: its channels row by row, apart.
 * @type {(filter: CardedFilter) => Mosaic}
 */
function mosaic({ weights }) {
  const planes = /** @type {Rows[]} */ (Array.isArray(weights[0][0]) ? weights : [weights]);
  const [rows, columns] = [planes[0].length, planes[0][0].length];
  const across = Math.ceil(Math.sqrt(planes.length));
  const down = Math.ceil(planes.length / across);
  const [tall, wide] = [down * (rows + 1) - 1, across * (columns + 1) - 1];
  const values = new Float32Array(tall * wide);
  planes.forEach((plane, i) =>
    plane.forEach((row, y) =>
      row.forEach((value, x) => {
        values[(Math.floor(i / across) * (rows + 1) + y) * wide + (i % across) * (columns + 1) + x] = value;
      }),
    ),
  );
  return { values, rows: tall, columns: wide, channels: planes.length, across };
}

/** @type {(view: FiltersView, cards: Cards, theme: Theme) => void} */
function drawTiles(view, { filters, layer }, theme) {
  const mosaics = filters.slice(0, SHOWN).map(mosaic);
  const range = shownRange(
    "diverging",
    mosaics.map(({ values }) => extent(values)).reduce(([a, b], [c, d]) => [Math.min(a, c), Math.max(b, d)]),
  );
  view.tiles = mosaics.map(({ values, rows, columns }, index) => {
    const canvas = heatmap();
    paint(canvas, values, rows, columns, colourTable("diverging", theme), range);
    const scale = Math.max(1, Math.floor(TILE / Math.max(rows, columns)));
    resize(canvas, columns * scale, rows * scale);
    const button = make(
      "button",
      {
        class: "map",
        "aria-label": `${layer}, filter ${index}`,
        onclick: () => {
          view.chosen = index;
          view.context.redraw();
        },
      },
      canvas,
    );
    return { button, root: make("span", { class: "switch" }, button, String(index)) };
  });
  view.tilesBox.replaceChildren(...view.tiles.map(({ root }) => root));
  enter(
    view.tiles.map(({ button }) => button),
    view.tiles[Math.min(view.chosen, view.tiles.length - 1)].button,
  );
  view.legend.draw("diverging", theme, range, "weights of this layer");
  const network = view.context.network();
  const info = /** @type {Layer} */ (view.context.layer(layer));
  const rest = filters.length > SHOWN ? ` The first ${SHOWN} of ${filters.length} are shown.` : "";
  write(view.words, `${wordsOf(info, mosaics[0], sourcesOf(network, info).length > 0)}${rest}`);
}

/** @type {(layer: Layer, mosaic: Mosaic, isDeep: boolean) => string} */
function wordsOf({ in_shape: [before] }, { channels, across }, isDeep) {
  if (channels === 1 && before > 1) return "Each filter reads one map before it.";
  if (channels === 1) return "Each filter reads the picture itself.";
  const lie = `they lie ${across === channels ? "side by side" : `row by row, ${across} in a row`}`;
  if (!isDeep) return `Each filter reads the picture itself: it has ${channels} channels, for red, green and blue; ${lie}.`;
  const what = channels < before ? "map of its group" : "map before it";
  return `Each filter has ${channels} channels, one for each ${what}; ${lie}.`;
}

/**
 * The filters of a layer before they have come.
 * @type {(view: FiltersView, layer: Layer) => void}
 */
function drawBlanks(view, { name, shape: [count] }) {
  view.tiles = [];
  write(view.words, `The filters of ${name} have not come yet.`);
  view.card.replaceChildren();
  view.tilesBox.replaceChildren(
    ...Array.from({ length: Math.min(count, SHOWN) }, () => {
      const canvas = heatmap({ class: "heat hatched" });
      resize(canvas, TILE, TILE);
      return make("span", { class: "switch" }, canvas);
    }),
  );
}

/** @type {(view: FiltersView, filter: CardedFilter, state: State, reported: Reported, theme: Theme) => void} */
function drawCard(view, filter, state, reported, theme) {
  const { index, weights, bias, card } = filter;
  const isFlat = !Array.isArray(weights[0][0]);
  const { values, rows, columns } = mosaic(filter);
  const cell = isFlat ? Math.floor(200 / Math.max(rows, columns)) : Math.max(4, Math.floor(240 / columns));
  const picture = numbers({
    values,
    rows,
    columns,
    cell,
    scale: "diverging",
    theme,
    range: shownRange("diverging", extent(values)),
    label: `weights of ${view.layer}, filter ${index}`,
    digits: isFlat,
  });
  const { context } = view;
  const layer = view.layer ?? "";
  const off = isOff(state.changes, layer, index);
  const change = () => context.set({ changes: toggled(state.changes, layer, index) });
  view.card.replaceChildren(
    make("h2", {}, `${layer}, filter ${index}`),
    picture,
    list(facts(card, bias)),
    make(
      "div",
      { class: "row" },
      isFlat ? make("button", { onclick: () => context.editFilter({ layer, filter: index }) }, "Edit this filter") : "",
      make("button", { "aria-pressed": String(off), onclick: change }, off ? "Switch on" : "Switch off"),
    ),
    ...report(reported, layer, index, context.network()),
  );
}

/** @type {(card: Card, bias: number) => [name: string, text: string][]} */
function facts(card, bias) {
  const [lo, hi] = card.output_range || [];
  /** @type {[name: string, text: string | null][]} */
  const all = [
    ["kind", card.label],
    ["bias", short(bias)],
    ["sum of weights", `${short(card.sum)} (${short(card.positive_sum)} and ${short(card.negative_sum)})`],
    ["can answer", lo === undefined ? null : `${short(lo)} to ${short(hi)}`],
    ["runs along", card.orientation ? `${fixed(card.orientation.angle, 0)}°` : null],
    ["coherence", card.orientation ? fixed(card.orientation.coherence, 2) : null],
    [
      "separable",
      card.separability === null || card.separability === undefined
        ? null
        : `${plainPercent(card.separability)} by one row and one column`,
    ],
    ["alike left and right", card.symmetry ? `${short(card.symmetry.horizontal)} (1 is a mirror image)` : null],
    ["alike top and bottom", card.symmetry ? short(card.symmetry.vertical) : null],
    [
      "Gabor wave",
      card.gabor ? `${plainPercent(card.gabor.r_squared)}, wavelength ${short(card.gabor.wavelength)}` : null,
    ],
  ];
  return all.flatMap(([name, text]) => (text === null ? [] : [[name, text]]));
}

/**
 * What the report on a data set says of a filter.
 * @type {(reported: Reported, layer: string, index: number, network: Network) => HTMLElement[]}
 */
function report({ answer, error }, layer, index, network) {
  const reason = reasonOf(network, REPORT);
  if (reason) return [make("p", { class: "muted" }, `${reason[0].toUpperCase()}${reason.slice(1)}.`)];
  if (error) return [make("p", { class: "muted" }, `No report on a data set: ${refusal(error)}`)];
  if (!answer) return [];
  const { data, layers, thumbnails } = answer;
  const filter = layers.find(({ name }) => name === layer)?.filters[index];
  if (!filter) return [];
  /** @type {[name: string, text: string][]} */
  const rows = [
    ["mean and largest answer", `${short(filter.mean)} and ${short(filter.max)}`],
    ["silent", `in ${plainPercent(filter.zeros)} of its places`],
    ["answers most to", labelOf(network, filter.favourite)],
  ];
  // Not every filter has them: a tanh answers below 0 as well, and then there is no share of one digit.
  const { isDigits } = kindOf(network);
  if (Number.isFinite(filter.d_prime)) rows.push(["d′", `${short(filter.d_prime)}, to that ${isDigits ? "digit" : "class"}`]);
  if (Number.isFinite(filter.selectivity)) rows.push(["selectivity", short(filter.selectivity)]);
  if (filter.off)
    rows.push(["without it", `accuracy ${filter.off.accuracy > 0 ? "+" : ""}${plainPercent(filter.off.accuracy)}`]);
  return [
    make("h3", {}, `On ${counted(data.images, "picture")} of ${data.name}`),
    list(rows),
    make("p", { class: "muted" }, isDigits ? "Its mean answer to each digit:" : "The classes that it answers most, by its mean answer:"),
    isDigits
      ? classBars(filter.class_means, filter.favourite)
      : list(classList(filter.class_means, network)),
    ...topPictures(filter.top, network, thumbnails),
    ...(answer.pictures ? [topNames(filter.top, answer.pictures)] : []),
  ];
}

/** @type {(rows: [name: string, text: string][]) => HTMLElement} */
function list(rows) {
  return make(
    "dl",
    { class: "facts" },
    rows.flatMap(([name, text]) => [make("dt", {}, EXPLAINED.has(name) ? term(name) : name), make("dd", {}, text)]),
  );
}

/** @type {(means: number[], network: Network) => [name: string, text: string][]} */
function classList(means, network) {
  return ranking(means)
    .slice(0, NAMED)
    .map((index) => [labelOf(network, index), short(means[index])]);
}

/**
 * The names of the pictures that it answered most, where they were a folder's.
 * @type {(top: FilterReport["top"], pictures: string[]) => HTMLElement}
 */
function topNames(top, pictures) {
  const names = top.slice(0, NAMED).map(({ image }) => pictures[image]);
  return make("p", { class: "muted" }, `It answered most to ${names.join(", ")}.`);
}

/** @type {(means: number[], favourite: number) => HTMLElement} */
function classBars(means, favourite) {
  // Bars stand on 0: a mean below it hangs down, so that the tallest is the greatest.
  const [lo, hi] = [Math.min(0, ...means), Math.max(0, ...means)];
  const scale = BARS / (hi - lo || 1);
  return make(
    "ol",
    { class: "small-bars" },
    means.map((mean, index) => {
      const bar = make("span", { "aria-hidden": "true" });
      bar.style.height = `${Math.abs(mean) * scale}px`;
      bar.style.marginBottom = `${((mean < 0 ? mean : 0) - lo) * scale}px`;
      return make(
        "li",
        { class: index === favourite ? "best" : null, "aria-label": `${index}: ${short(mean)}`, title: short(mean) },
        bar,
        String(index),
      );
    }),
  );
}

/**
 * The pictures that it answered most, where the service has the data set at hand.
 * @type {(top: FilterReport["top"], network: Network, thumbnails?: Record<string, string>) => HTMLElement[]}
 */
function topPictures(top, network, thumbnails = {}) {
  const found = top.filter(({ image }) => thumbnails[image]);
  if (!found.length) return [];
  const pictures = found.map(({ image, label, value }) =>
    make("img", {
      src: thumbnails[image],
      alt: `a ${labelOf(network, label)}, ${short(value)}`,
      title: `a ${labelOf(network, label)}: ${short(value)}`,
      width: 42,
      height: 42,
      class: "heat",
    }),
  );
  return [make("p", { class: "muted" }, "The pictures it answered most:"), make("div", { class: "thumbs" }, pictures)];
}
