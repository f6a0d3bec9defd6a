// why/ is the view of the decision: the margin between two classes, filter by filter. The shares add up to it exactly.
//
// It is drawn as a pachinko: each filter is a peg that pushes a ball. What a network does not answer is left out, and a
// sentence says why; what covering its picture changes (covering.js) is told of any.

import { networkCall, want } from "../state/api.js";
import { begun, caption, changes, choice, either, make, select, set, write } from "../shared/dom.js";
import { createGrid } from "../shared/grid.js";
import { heatmap, legend, paint, paintPicture, resize } from "../shared/heatmap.js";
import { colourTable, extent, fixed, shownRange, signed } from "../numbers/scales.js";
import { filtersBehind, kindOf, labelOf, methodReason } from "../state/kind.js";
import { allOff, isOff, pairOf, toggled } from "../state/state.js";
import { CAPTIONS, CAPTIONS_OF_CLASSES, counted, countedIn, UNCHANGED } from "../shared/words.js";

/** @import { Theme } from "../numbers/types.d.ts" */
/** @import { Call, Change, DecidingSet, Entry, Input, Ledger, Members } from "../state/types.d.ts" */
/** @import { Model, Network, Pixels, Results, Verdict, Want } from "../state/types.d.ts" */
/** @import { Context, View } from "../shared/types.d.ts" */
/** @import { Peg, Row, WhyView } from "./types.d.ts" */

const SHOWN = 12; // pegs that are drawn one by one
const SIDE = 196;

/** @type {(root: HTMLElement, context: Context) => View} */
export function create(root, context) {
  /** @type {WhyView} */
  const view = begun({ root, context, isDecidingAsked: false, all: false, gridAt: [0, 0], unchanged: [] });
  Object.assign(view, { isNew: changes(), areShareNew: changes(), placesAreNew: changes() });
  view.target = select("Why", [], (label) => context.set({ target: Number(label) }));
  view.rival = select("and not", [], (label) => context.set({ rival: Number(label) }));
  view.refused = make("p", { class: "muted", id: "refused", hidden: true }, "");
  view.coveringBox = make("div", { hidden: true });
  view.list = make("ol", { class: "pegs" });
  view.ball = make("span", { class: "ball", "aria-hidden": "true", hidden: true });
  view.total = make("p", { class: "formula", id: "ledger-sum" });
  view.headline = make("h2", {}, "");
  view.drop = make("button", { class: "main", onclick: () => drop(view) }, "Drop the ball");
  view.more = make(
    "button",
    {
      onclick: () => {
        view.all = !view.all;
        context.redraw();
      },
    },
    "",
  );
  view.deciding = make("button", { onclick: () => askDeciding(view) }, "Smallest set that flips it");
  view.flip = make("p", { role: "status", id: "deciding", "data-lane": "deciding" });
  view.controls = make(
    "div",
    { class: "controls" },
    view.target.field,
    view.rival.field,
    view.drop,
    view.deciding,
    view.more,
  );
  view.captions = [CAPTIONS.why, CAPTIONS_OF_CLASSES.why].map((words) =>
    caption(
      words,
      () => drop(view),
      () => askDeciding(view),
    ),
  );
  ["of-digits", "of-classes"].forEach((name, i) => view.captions[i].classList.add(name));
  view.pegs = make(
    "div",
    { class: "result wide", "data-lane": "ledger" },
    view.headline,
    make("div", { class: "pachinko" }, view.list, view.ball),
    view.total,
  );
  const pictures = buildPictures(view);
  view.shares = buildShares(view);
  root.append(
    ...view.captions,
    view.controls,
    view.refused,
    view.flip,
    make("div", { class: "columns split" }, view.pegs, pictures),
    view.shares,
    view.coveringBox,
  );
  const takes = [
    { name: "ledger", record: () => context.data.ledger?.want.request, formats: ["json"] },
    { name: "covering", record: () => context.data.covered?.want.request, formats: ["json", "png"] },
  ];
  return { draw: (model) => draw(view, model), wants: (model) => wants(view, model), takes };
}

// ---- asking ----

/**
 * A filter of the last layer that is off stays a peg here: the ledger is asked as if it was on, and the sum is done
 * again
 * without it. The pictures beside the pegs are of the changed network.
 * @type {(view: WhyView, model: Model) => Want[]}
 */
function wants(view, { state, data, network }) {
  const { input, verdict } = data;
  if (!input || !verdict) return [];
  const [target, rival] = pairOf(state, verdict.result.logits);
  // An adopted network is walked back as it came alone.
  const made = kindOf(network).isAdopted ? [] : state.changes;
  const others = otherChanges(made, network);
  /** @type {(lane: string, method: string, made: Change[]) => Want[]} */
  const call = (lane, method, made) =>
    methodReason(network, method) ? [] : [want(lane, explainCall(network, input, made, { method, target, rival }))];
  return [
    ...call("ledger", "ledger", others),
    ...call("pixels", "pixels", made),
    ...(others.length < made.length ? call("places", "ledger", made) : []),
    ...(view.isDecidingAsked ? call("deciding", "deciding-set", others) : []),
    ...((kindOf(network).isAdopted && view.covering?.wants(network, input, target, state.changes)) || []),
  ];
}

/** @type {(network: Network, picture: Input, changesMade: Change[], options: Members) => Call<Input>} */
function explainCall(network, picture, changesMade, options) {
  const call = networkCall("/v1/explain", network, picture, options);
  return changesMade.length ? { ...call, query: {}, json: { ...call.query, changes: changesMade } } : call;
}

/**
 * The layer whose filters the pegs are: of an adopted network that of its ledger, if its maps are filters' one by one.
 * @type {(network: Network, ledger?: Ledger) => string | null}
 */
function pegLayer(network, ledger) {
  if (kindOf(network).isAdopted) return ledger ? (filtersBehind(network, ledger.layer)?.name ?? null) : null;
  const [last] = network.layers.filter(({ op }) => op === "conv").slice(-1);
  return last.name;
}

/** @type {(made: Change[], network: Network) => Change[]} */
function otherChanges(made, network) {
  return made.filter(({ layer, action }) => layer !== pegLayer(network) || action !== "off");
}

/** @type {(view: WhyView) => void} */
function askDeciding(view) {
  view.isDecidingAsked = !view.isDecidingAsked;
  view.context.redraw();
}

// ---- building ----

/**
 * What stands beside a part that is of an adopted network without its changes.
 * @type {(view: WhyView) => HTMLElement}
 */
function unchangedNote(view) {
  const note = make("p", { class: "muted unchanged", hidden: true }, UNCHANGED);
  view.unchanged.push(note);
  return note;
}

/** @type {(view: WhyView) => HTMLElement} */
function buildPictures(view) {
  view.places = heatmap();
  view.under = heatmap({ class: "heat under" });
  view.ink = heatmap();
  view.placesLegend = legend();
  view.inkLegend = legend();
  view.inkWords = make("figcaption", { class: "muted" }, "");
  view.placesWords = make("figcaption", { class: "muted" }, "");
  for (const canvas of [view.under, view.ink]) resize(canvas, SIDE, SIDE);
  view.placesFigure = make(
    "figure",
    { class: "result fit", "data-lane": "ledger" },
    make("div", { class: "framed" }, view.under, view.places),
    view.placesLegend.root,
    view.placesWords,
  );
  view.pushed = make("div", { class: "result" }, make("h3", {}, "Where the push comes from"), unchangedNote(view), view.placesFigure);
  const name = make("h3", {}, "The ", either("ink", "picture"), ", by its credit");
  const figure = make("figure", { class: "result fit", "data-lane": "pixels" }, view.ink, view.inkLegend.root, view.inkWords);
  view.credited = make("div", { class: "result" }, name, unchangedNote(view), figure);
  return make("div", { class: "result" }, view.pushed, view.credited);
}

/** @type {(view: WhyView) => HTMLElement} */
function buildShares(view) {
  view.grid = createGrid("shares of every filter in every logit", {
    move: (row, column) => {
      view.gridAt = [row, column];
      view.context.redraw();
    },
    pin: (_row, filter) => toggle(view, filter),
  });
  view.gridWords = make("p", { class: "muted", "aria-live": "off" });
  view.gridLegend = legend();
  const heading = make("h3", {}, "Every filter (across) and every ", either("digit", "class that is told"), " (down)");
  view.offWords = make(
    "p",
    { class: "muted", hidden: true },
    "This table keeps the shares of the filters that are off.",
  );
  view.classes = make("ol", { "aria-hidden": "true" });
  return make(
    "div",
    { class: "result", "data-lane": "ledger" },
    heading,
    view.offWords,
    unchangedNote(view),
    make("div", { class: "scroll" }, make("div", { class: "class-grid" }, view.classes, view.grid.root)),
    view.gridWords,
    make("div", { class: "fit" }, view.gridLegend.root),
  );
}

/** @type {(view: WhyView, filter: number) => void} */
function toggle({ context }, filter) {
  const layer = pegLayer(context.network(), context.data.ledger?.answer.results[0]);
  if (layer) context.set({ changes: toggled(context.store.get().changes, layer, filter) });
}

// ---- drawing ----

/** @type {(view: WhyView, model: Model) => void} */
function draw(view, model) {
  const { data, state, network } = model;
  if (view.network !== network) suit(view, network);
  const { isAdopted } = kindOf(network);
  const hasOff = !isAdopted && otherChanges(state.changes, network).length < state.changes.length;
  const isRefused = Boolean(methodReason(network, "ledger"));
  set(view.placesFigure, "data-lane", hasOff ? "places" : "ledger");
  set(view.offWords, "hidden", !hasOff);
  for (const note of view.unchanged) set(note, "hidden", !isAdopted || !state.changes.length);
  set(view.controls, "hidden", isRefused ? !data.verdict : !data.ledger);
  const told = data.ledger?.answer.results[0];
  const notes = isAdopted ? (view.covering?.words(network, told, state.changes, pegLayer(network, told)) ?? "") : "";
  write(view.refused, notes);
  set(view.refused, "hidden", !notes);
  if (isAdopted) view.covering?.draw(model);
  if (data.pixels) drawInk(view, data.pixels.answer.results[0], model);
  if (isRefused && data.verdict) choosePair(view, pairOf(state, data.verdict.result.logits));
  if (!data.ledger) return;
  const [ledger] = data.ledger.answer.results;
  const { isSettled } = view.context.lanes.standing("edited");
  const news = [data.ledger, data.deciding, state.changes, view.all, isSettled, view.isDecidingAsked, model.theme];
  if (view.isNew(...news)) {
    drawPegs(view, ledger, model, isSettled ? (data.edited?.result ?? null) : null);
    drawDeciding(view, data.deciding?.answer.results[0], model);
  }
  const places = hasOff ? data.places : data.ledger;
  if (places && view.placesAreNew(places, model.theme)) drawPlaces(view, places, model.theme);
  drawShares(view, ledger, model);
}

/** @type {(view: WhyView) => Promise<void>} */
async function openCovering(view) {
  const { createCovering } = await import("./covering.js");
  if (view.covering) return;
  view.covering = createCovering(view.context);
  view.coveringBox.append(view.covering.root);
  view.context.redraw();
}

/**
 * The parts that a network answers, and its classes.
 * @type {(view: WhyView, network: Network) => void}
 */
function suit(view, network) {
  const { labels, form, isAdopted } = kindOf(network);
  Object.assign(view, { network, gridAt: [0, 0], isDecidingAsked: false });
  for (const { box } of [view.target, view.rival])
    box.replaceChildren(...labels.map((label, i) => choice([String(i), label])));
  const isRefused = Boolean(methodReason(network, "ledger"));
  for (const part of [view.captions[1], view.pegs, view.pushed, view.shares, view.drop, view.more, view.rival.field]) set(part, "hidden", isRefused);
  set(view.credited, "hidden", Boolean(methodReason(network, "pixels")));
  set(view.deciding, "hidden", isRefused || Boolean(methodReason(network, "deciding-set")));
  set(view.coveringBox, "hidden", !isAdopted);
  if (isAdopted) openCovering(view);
  const scale = SIDE / Math.max(form.width, form.height);
  for (const canvas of [view.under, view.ink]) resize(canvas, form.width * scale, form.height * scale);
}

/** @type {(view: WhyView, pair: number[]) => void} */
function choosePair(view, [target, rival]) {
  view.target.box.value = String(target);
  view.rival.box.value = String(rival);
  for (const option of view.rival.box.options) option.disabled = option.value === String(target);
}

/** @type {(view: WhyView, ledger: Ledger, model: Model, edited: Verdict | null) => void} */
function drawPegs(view, ledger, { state, network }, edited) {
  const { target, rival, margin, layer } = ledger;
  choosePair(view, [target, rival]);
  const edits = pegLayer(network, ledger);
  /** @type {(filter: number) => boolean} */
  const offNow = (filter) => edits !== null && isOff(state.changes, edits, filter);
  const pegs = pegsOf(margin.shares.filters, offNow, view.all ? Infinity : SHOWN);
  const start = margin.base;
  let running = start;
  /** @type {Row[]} */
  const rows = [{ name: kindOf(network).isAdopted ? "base" : "bias", share: start, from: 0, to: start }];
  for (const peg of pegs) {
    const from = running;
    if (!peg.isOff) running += peg.share;
    rows.push({ ...peg, name: peg.name || `${layer}/${peg.filter}`, from, to: running });
  }
  const all = rows.flatMap(({ from, to, isOff, share }) => [from, isOff ? from + share : to]);
  const [lo, hi] = [Math.min(0, ...all), Math.max(0, ...all)];
  const pad = (hi - lo || 1) * 0.03;
  view.scale = (value) => ((value - lo + pad) / (hi - lo + 2 * pad)) * 100;
  view.rows = rows;
  view.list.replaceChildren(...rows.map((row, i) => pegRow(view, row, rows[i + 1], edits !== null)));
  const [first, second] = [target, rival].map((label) => labelOf(network, label));
  write(
    view.headline,
    `${first} leads ${second} by ${fixed(running, 2)}${running > 0 ? "" : `: it reads ${second} rather than ${first}`}`,
  );
  write(view.more, view.all ? `Only the ${SHOWN} largest` : `All ${counted(margin.shares.filters.length, "peg")}`);
  write(
    view.total,
    totalWords(
      rows,
      running,
      margin,
      edited,
      pegs.some((peg) => peg.isOff),
    ),
  );
}

/**
 * The pegs in order of size; beyond `most`, the rest in one.
 * @type {(shares: number[], isOff: (filter: number) => boolean, most: number) => Peg[]}
 */
function pegsOf(shares, isOff, most) {
  const order = shares
    .map((share, filter) => ({ share, filter, isOff: isOff(filter) }))
    .sort((a, b) => Math.abs(b.share) - Math.abs(a.share));
  /** @type {Peg[]} */
  const shown = order.filter((peg, i) => i < most || peg.isOff);
  const rest = order.filter((peg) => !shown.includes(peg));
  if (rest.length)
    shown.push({ name: `${rest.length} smaller`, share: rest.reduce((sum, { share }) => sum + share, 0) });
  return shown;
}

/** @type {(view: WhyView, row: Row, next: Row | undefined, isSwitch: boolean) => HTMLElement} */
function pegRow(view, { name, share, from, to, filter, isOff }, next, isSwitch) {
  const bar = make("span", { class: `push ${share < 0 ? "against" : "for"}${isOff ? " off" : ""}` });
  const [left, right] = [Math.min(from, isOff ? from + share : to), Math.max(from, isOff ? from + share : to)].map(
    view.scale,
  );
  bar.style.left = `${left}%`;
  bar.style.width = `${Math.max(right - left, 0.3)}%`;
  const zero = make("span", { class: "zero" });
  zero.style.left = `${view.scale(0)}%`;
  const fall = make("span", { class: "fall", hidden: !next });
  fall.style.left = `${view.scale(to)}%`;
  const label =
    filter === undefined || !isSwitch
      ? make("span", { class: "peg-name" }, name)
      : make(
          "button",
          {
            class: "peg-name",
            role: "switch",
            "aria-checked": String(!isOff),
            "aria-label": `${name}, ${signed(share)}`,
            title: isOff ? "switch on" : "switch off",
            onclick: () => toggle(view, filter),
          },
          name,
        );
  return make(
    "li",
    { class: isOff ? "off" : null },
    label,
    make("span", { class: "track", "aria-hidden": "true" }, zero, bar, fall),
    make("span", { class: "number" }, isOff ? "off" : signed(share)),
  );
}

/**
 * @type {(rows: Row[], running: number, margin: Ledger["margin"], edited: Verdict | null, hasOff: boolean) => string}
 */
function totalWords(rows, running, margin, edited, hasOff) {
  const terms = rows
    .slice(1)
    .filter(({ isOff }) => !isOff)
    .map(({ share }) => (share < 0 ? `− ${fixed(-share)}` : `+ ${fixed(share)}`));
  const sum = `${rows[0].name} ${fixed(rows[0].share)} ${terms.join(" ")} = ${fixed(running, 4)}`;
  if (!hasOff)
    return `${sum}. The network says ${fixed(margin.value, 4)}; off by ${Math.abs(margin.residual).toExponential(0)}.`;
  return edited
    ? `${sum}, with what is off left out; the what-if says so too: it reads ${edited.label}.`
    : `${sum}, with what is off left out.`;
}

/** @type {(view: WhyView) => void} */
function drop(view) {
  if (!view.rows) return;
  const { ball, list } = view;
  set(ball, "hidden", false);
  const track = /** @type {HTMLElement | null} */ (list.querySelector(".track"));
  const [width, left] = [track?.offsetWidth ?? 0, track?.offsetLeft ?? 0];
  const frames = view.rows
    .flatMap(({ from, to }, i) => {
      const row = /** @type {HTMLElement} */ (list.children[i]);
      const y = row.offsetTop + row.offsetHeight / 2;
      return [
        [from, y],
        [to, y],
      ];
    })
    .map(([value, y]) => ({ transform: `translate(${left + (view.scale(value) / 100) * width}px, ${y}px)` }));
  const isStill = matchMedia("(prefers-reduced-motion: reduce)").matches;
  ball.animate(frames, {
    duration: isStill ? 1 : Math.min(6000, frames.length * 140),
    easing: "linear",
    fill: "forwards",
  });
}

/** @type {(view: WhyView, answer: DecidingSet | undefined, model: Model) => void} */
function drawDeciding(view, answer, { state, network }) {
  set(view.deciding, "aria-pressed", String(view.isDecidingAsked));
  set(view.flip, "hidden", !view.isDecidingAsked || !answer);
  if (!answer || !view.isDecidingAsked) return;
  const { members, found, size, class_after: after } = answer.filters;
  const { isAdopted } = kindOf(network);
  const layer = pegLayer(network, view.context.data.ledger?.answer.results[0]);
  // It is looked for as the pegs are asked for: see wants().
  const asked = isAdopted ? [] : otherChanges(state.changes, network);
  const of = asked.length === state.changes.length ? "" : isAdopted ? `${UNCHANGED} ` : `With every filter of ${layer} switched on: `;
  if (!found) {
    write(view.flip, `${of}No set of filters flips ${labelOf(network, answer.target)}.`);
    return;
  }
  const off = () => {
    if (!layer) return;
    const others = state.changes.filter((change) => change.layer !== layer || change.action !== "off");
    view.context.set({ changes: [...others, ...allOff(layer, members)] });
  };
  const [all, ...sides] = network.layers.find(({ name }) => name === answer.layer)?.shape ?? [];
  const { places } = answer;
  const [down, across] = isAdopted ? sides : (network.layers.find(({ op }) => op === "linear")?.in_shape.slice(1) ?? [0, 0]);
  const orPlaces = places.found ? ` Or without ${places.size} of its ${counted(down * across, "place")}.` : "";
  view.flip.replaceChildren(
    `${of}Without ${size} of ${counted(all, "filter")} (${members.join(", ")}) it reads ${labelOf(network, after)}; no smaller set does that.${orPlaces} `,
    layer ? make("button", { class: "link", onclick: off }, "Switch them off") : "",
  );
}

/** @type {(view: WhyView, entry: Entry<Results<Ledger>, Call<Input>>, theme: Theme) => void} */
function drawPlaces(view, { want: { request }, answer }, theme) {
  const [{ margin, receptive_field: field, target, rival }] = answer.results;
  const network = view.context.network();
  const values = margin.shares.places;
  const [rows, columns] = [values.length, values[0].length];
  const range = shownRange("diverging", extent(values.flat()));
  const { width, height } = request.picture;
  paintPicture(view.under, request.picture, theme);
  paint(view.places, values.flat(), rows, columns, colourTable("diverging", theme), range);
  const pixel = SIDE / Math.max(width, height);
  // Where a place reads all of the picture, the places lie evenly over it.
  const jump = field.jump.map((step, axis) => step || [height, width][axis] / [rows, columns][axis]);
  /** @type {(axis: 0 | 1) => number} */
  const centre = (axis) => (field.jump[axis] ? field.start[axis] + (field.size[axis] - 1) / 2 + 0.5 - jump[axis] / 2 : 0);
  Object.assign(view.places.style, {
    position: "absolute",
    opacity: "0.8",
    left: `${centre(1) * pixel}px`,
    top: `${centre(0) * pixel}px`,
    width: `${columns * jump[1] * pixel}px`,
    height: `${rows * jump[0] * pixel}px`,
  });
  view.placesLegend.draw("diverging", theme, range, `orange for ${labelOf(network, rival)}, blue for ${labelOf(network, target)}`);
  write(
    view.placesWords,
    `${countedIn([rows, columns], "place")}; each reads ${countedIn(field.size, "pixel")} around it`,
  );
}

/** @type {(view: WhyView, answer: Pixels, model: Model) => void} */
function drawInk(view, answer, { theme }) {
  if (view.inkOf === answer && view.inkTheme === theme) return;
  Object.assign(view, { inkOf: answer, inkTheme: theme });
  const { shares, value, head_bias: bias, residual } = answer.margin;
  const values = shares.pixels.flat();
  const range = shownRange("diverging", extent(values));
  const [rows, columns] = [shares.pixels.length, shares.pixels[0].length];
  paint(view.ink, values, rows, columns, colourTable("diverging", theme), range);
  view.inkLegend.draw("diverging", theme, range, "share of the margin");
  const ink = values.reduce((sum, share) => sum + share, 0);
  const biases = Object.values(shares.biases).reduce((sum, share) => sum + share, 0) + bias;
  const what = kindOf(view.context.network()).form.isInk ? "ink" : "light";
  write(
    view.inkWords,
    `${what} ${signed(ink)}, biases ${signed(biases)} = ${fixed(value, 2)}; off by ${Math.abs(residual).toExponential(0)}`,
  );
}

/** @type {(view: WhyView, ledger: Ledger, model: Model) => void} */
function drawShares(view, { shares: { filters }, classes, layer, logits }, { theme, network }) {
  if (!view.areShareNew(filters, theme, view.gridAt)) return;
  const [rows, columns] = [filters.length, filters[0].length];
  const values = filters.flat();
  const range = shownRange("diverging", extent(values));
  const cell = Math.max(10, Math.min(22, Math.floor((view.root.clientWidth - 60) / columns)));
  paint(view.grid.canvas, values, rows, columns, colourTable("diverging", theme), range);
  resize(view.grid.canvas, columns * cell, rows * cell);
  // A row is as high as its label, and all are alike: the canvas takes the height of all.
  view.classes.style.gridAutoRows = `minmax(${cell}px, 1fr)`;
  const told = classes ?? [...filters.keys()];
  view.classes.replaceChildren(...told.map((index) => make("li", {}, labelOf(network, index))));
  const [row, filter] = [Math.min(view.gridAt[0], rows - 1), Math.min(view.gridAt[1], columns - 1)];
  const share = signed(filters[row][filter]);
  const isSwitch = pegLayer(network, view.context.data.ledger?.answer.results[0]) !== null;
  view.grid.mark(rows, columns, [row, filter], share);
  view.gridLegend.draw("diverging", theme, range, "share of the logit");
  write(
    view.gridWords,
    `${layer}/${filter} pushes ${labelOf(network, told[row])} by ${share}, of the logit ${fixed(logits[told[row]], 2)}.${isSwitch ? " A click switches it off or on." : ""}`,
  );
}
