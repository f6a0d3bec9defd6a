// Joins the rooms: what is chosen leads to questions, and what is answered leads to one frame that draws it.
//
// A room uses those above it, and no view uses another:
//   numbers/  arithmetic, colours, formats of bytes; knows no page
//   state/    what is chosen, what is asked, what was answered
//   shared/   what every view is built of
//   rail/     the left side: the pad, its tools and the verdict
//   lecture/  network/  bench/  why/  what-if/  filters/  learn/  a view each; its main file has its name
//   styles/   colours and sizes (tokens), places (layout), the looks of each part (parts)
// In each room types.d.ts has the types of what is passed around.

import { createKeeper, read } from "./state/address.js";
import { Lanes, send, Refusal, want } from "./state/api.js";
import { greatest, sharesOf } from "./numbers/arithmetic.js";
import { byId, choice, link, set as setOn, write } from "./shared/dom.js";
import { createPad, EXAMPLE, play } from "./rail/drawing.js";
import { completed, convolutions, isOfForm, kindOf, mapsName, MOST_WEIGHTS, shownLayers } from "./state/kind.js";
import { fromFile } from "./state/picture.js";
import { createRail, keyField } from "./rail/rail.js";
import { createStore, DEFAULTS, singleKeys } from "./state/state.js";
import { editedWant, keepMaps, levelsOf, moved, posted, postedWhole, seenBy, verdictWant } from "./state/subject.js";
import { bringPanel, focusTab, listenToTabs, showTab, watchTabs } from "./shared/tabs.js";
import { createStanding, LATE_MS } from "./shared/standing.js";
import { createVerdict } from "./rail/verdict.js";
import { counted, emptyWords, EXAMPLE as EXAMPLE_WORDS, faultOf, hintWords, refusal, spoken, UNREADABLE, WAITING } from "./shared/words.js";

/** @import { Tensor } from "./numbers/types.d.ts" */
/** @import { Answers, Arrays, Cell, Chosen, Data, EditedEntry } from "./state/types.d.ts" */
/** @import { Entry, Frame, Input, Listed, Model, Network, ReadEntry } from "./state/types.d.ts" */
/** @import { Picture, Report, Results, Slot, State, Verdict, ViewName, Want, Weights } from "./state/types.d.ts" */
/** @import { Camera, NumberRow } from "./rail/types.d.ts" */
/** @import { Context, View } from "./shared/types.d.ts" */

/** @typedef {{ picture: Chosen, example?: boolean }} Kept a picture, and whether it is the example of the page */

/** @type {Kept} */
const BLANK = { picture: DEFAULTS.picture };
const SAMPLE = "disc"; // what a network of pictures begins with
const REST_MS = 600; // of the pen, before several digits are looked for
const HISTORY = 40; // pictures that "Undo" goes back
const dark = matchMedia("(prefers-color-scheme: dark)");
const still = matchMedia("(prefers-reduced-motion: reduce)");

const store = createStore({});
/** @type {Data} */
const data = { base: null, input: null, fixed: {} }; // and, by the name of its lane, the last answer of each
/** @type {Weights} */
const weights = {};
const lanes = new Lanes(report);
const addressKeeper = createKeeper(store);
/** @type {Network | null} */
let network = null;
/** @type {Listed[]} */
let served = [];
/** @type {ViewName | undefined} */
let asked; // of the address
/** @type {{ picture: Picture, isPrepared: boolean } | null} */
let whole = null; // what is posted, unless a digit of it is opened
/** @type {NumberRow | undefined} */
let number; // of the picture, if it may have several digits
/** @type {Camera | undefined} */
let camera;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let resting;
let inkIsNew = false;
/** @type {number | null} */
let openedFirst = null; // the digit of several that opened by itself
/** @type {(() => void) | null} */
let stopExample = null;
let frameAsked = false;
let opening = 0;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let openingAgain;
let lastSeen = 0;

/**
 * Pictures that others took the place of, and that "Undo" brings back; and those that it took away.
 * @type {{ past: Kept[], future: Kept[] }}
 */
const history = { past: [], future: [] };

const pad = createPad(/** @type {HTMLCanvasElement} */ (byId("pad")), {
  begin: (isClearing) => {
    const { example, picture } = store.get();
    // Whoever draws over the example begins on a clear pad, and "Undo" goes back to that.
    remember(example && !isClearing ? BLANK : store.get());
    haltExample();
    if (example || picture.kind !== "strokes") pad.show([]);
  },
  ink: () => {
    if (stopExample) return; // it is looked at when it is whole
    inkIsNew = true;
    store.set({ picture: { kind: "strokes", strokes: pad.strokes }, example: false, part: null });
  },
  undo: () => swap(history.past, history.future),
  redo: () => swap(history.future, history.past),
});

/** @type {Context} */
const context = {
  store,
  data,
  lanes,
  pad,
  show,
  set: store.set,
  redraw: schedule,
  weights,
  // Asked by views only, and a view is drawn and asked when there is a network.
  network: () => /** @type {Network} */ (network),
  layer: (name) => network?.layers.find((layer) => layer.name === name),
  hover: (at, always) => {
    if (always || !store.get().pinned) store.set({ at });
  },
  leave: () => {
    store.set({ pinned: false });
    /** @type {HTMLElement | null} */ (byId("view-network").querySelector(".map.current"))?.focus();
  },
  pin,
  peak,
  strongest,
  clear,
  openFile,
  restart,
  retry: () => lanes.retry(),
  example: () => (readsInk() ? playExample(true) : firstPicture()),
  film,
  editFilter: async ({ layer, filter }) => {
    (await view("bench"))?.take?.(layer, filter);
    go("bench");
  },
  go,
};

// A view comes when it is opened.
/** @type {Partial<Record<ViewName, View>>} */
const views = {};
/** @type {Record<ViewName, string>} */
const FILES = {
  lecture: "./lecture/lecture.js",
  network: "./network/network.js",
  bench: "./bench/bench.js",
  why: "./why/why.js",
  "what-if": "./what-if/what-if.js",
  filters: "./filters/filters.js",
  learn: "./learn/learn.js",
};
const verdict = createVerdict(lanes);
const standing = createStanding(context);
const rail = createRail(context);
/** @type {ReturnType<typeof import("./network/dock.js").createDock> | undefined} */
let dock;

start();

async function start() {
  listen();
  store.subscribe(changed);
  const { state, problems } = await read(location.hash);
  asked = new URLSearchParams(location.hash.replace(/^#/, "")).has("view") ? state.view : undefined;
  showTab(state.view ?? DEFAULTS.view);
  store.set({ ...state, example: !state.picture });
  view(store.get().view);
  const opened = openModels();
  if (!state.picture) playExample(!still.matches);
  else showPicture(state.picture);
  store.set({ part: state.part ?? null });
  await opened;
  tellProblems(problems);
}

/** @type {(problems: string[]) => void} */
function tellProblems(problems) {
  if (problems.length) noticeToo(`The link's ${problems.join(", ")} could not be used; the rest was.`);
}

/**
 * A view, made on first use.
 * @type {(name: ViewName) => Promise<View | undefined>}
 */
async function view(name) {
  if (views[name]) return views[name];
  try {
    /** @type {[{ create(root: HTMLElement, context: Context): View }, unknown]} */
    const [{ create }] = await Promise.all([import(FILES[name]), name === "network" ? openDock() : null]);
    views[name] ??= create(byId(`view-${name}`), context);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    notice("The service does not answer, and this view has not come yet. Reload the page when it is back.");
  }
  schedule();
  return views[name];
}

/** The sum of one cell, below the maps of the network. */
async function openDock() {
  const { createDock } = await import("./network/dock.js");
  dock ??= createDock(byId("dock"), context);
}

async function openModels() {
  clearTimeout(openingAgain);
  const late = tellLate("");
  try {
    const listed = /** @type {{ models: Listed[] }} */ (await send({ path: "/v1/models" }));
    const { models } = listed;
    served = models;
    clearTimeout(late);
    const box = /** @type {HTMLSelectElement} */ (byId("model"));
    box.replaceChildren(...models.map(({ name, version }) => choice([`${name}@${version}`, ""])));
    const wished = store.get().model;
    const found = servedAs(wished);
    const { name, version } = found || models.find((model) => model.default) || models[0];
    selectModel(`${name}@${version}`);
    const missing = wished && !found ? `The link's network ${wished} is not served here; ${name} v${version} answers.` : "";
    // What else the address says is of the network that is missing.
    if (missing) store.set({ model: "", changes: [], at: null, pinned: false });
    else if (found && wished !== box.value) store.set({ model: box.value });
    await openModel(name, version, missing);
  } catch (error) {
    openAgain(error, "", openModels);
  } finally {
    clearTimeout(late);
  }
}

/**
 * Show a network as the one that is chosen. It goes by its name alone, for which there is room; the others say what they
 * are.
 * @type {(wished: string) => void}
 */
function selectModel(wished) {
  const box = /** @type {HTMLSelectElement} */ (byId("model"));
  box.value = wished;
  served.forEach((each, i) => {
    const { name, version } = each;
    write(box.options[i], i === box.selectedIndex ? `${name} v${version}` : `${name} v${version}${factsOf(each)}`);
    if (i === box.selectedIndex) setOn(box, "title", `${name} v${version}${factsOf(each)}`);
  });
}

/**
 * What the list of networks says of one, after its name.
 * @type {(listed: Listed) => string}
 */
function factsOf({ accuracy, input, classes }) {
  const test = accuracy?.test ? `, ${(accuracy.test * 100).toFixed(2)} % in tests` : "";
  const form = input ? `, ${input[1]} × ${input[2]} ${input[0] > 1 ? "colour" : "grey"}, ${counted(classes ?? 0, "class")}` : "";
  return `${test}${form}`;
}

/**
 * The network that an address names: name@version, or the name alone for the newest.
 * @type {(wished: string) => Listed | undefined}
 */
const servedAs = (wished) => served.findLast(({ name, version }) => [`${name}@${version}`, name].includes(wished));

/** @type {(words: string) => ReturnType<typeof setTimeout>} */
function tellLate(words) {
  return setTimeout(() => notice(`${WAITING} ${words}`), LATE_MS);
}

/**
 * Show another network, and a notice with it. The one before stays until it has come.
 * @type {(name: string, version: string, words?: string) => Promise<void>}
 */
async function openModel(name, version, words = "") {
  clearTimeout(openingAgain);
  opening += 1;
  const ticket = opening;
  const still = network ? `${name} v${version} has not come; what you see is ${network.name} v${network.version}.` : "";
  const late = tellLate(still);
  try {
    const described = await send({ path: `/v1/models/${name}`, query: { version } });
    if (ticket !== opening) return;
    notice(words);
    takeNetwork(/** @type {Network} */ (described));
  } catch (error) {
    if (ticket === opening) openAgain(error, still, () => openModel(name, version, words));
  } finally {
    clearTimeout(late);
  }
}

/** @type {(described: Network) => void} */
function takeNetwork(described) {
  for (const layer of Object.keys(weights)) delete weights[layer];
  const before = network && kindOf(network);
  const isFirst = !network;
  network = completed(described);
  forget(() => true);
  data.fixed = {};
  const kind = kindOf(network);
  setOn(document.documentElement, "data-classes", !kind.isDigits);
  fitPad();
  if (before && !isOfForm(before.form, kind.form)) whole = null; // in the form of the network before
  const { picture, example, view: opened } = store.get();
  // What one network is shown first is no picture for another.
  if (example && kind.form.isInk !== (before?.form.isInk ?? true)) firstPicture();
  else if (!before || !isOfForm(before.form, kind.form)) {
    if (picture.kind === "pattern" || picture.kind === "levels") pad.showImage({ levels: levelsOf(picture, kind.form) });
    if (before) store.set({ part: null });
    inkIsNew ||= before !== null;
  }
  // A visitor who asked for no view is not to begin with one that shows nothing of this network.
  if (isFirst && !asked && faultOf(opened, network))
    store.set({ view: faultOf("network", network) ? "why" : "network" });
  checkState();
  schedule();
}

/** The pad in the shape of what the network reads. */
function fitPad() {
  if (!network) return;
  const { form, isColour } = kindOf(network);
  pad.reads(form, isColour, !form.isInk && store.get().ground === "dark");
}

/** Whether the network reads ink on paper, or the page does not know one yet. */
const readsInk = () => !network || kindOf(network).form.isInk;

/** What a visitor of this network sees first: a digit, drawn, or a picture. */
function firstPicture() {
  if (readsInk()) return playExample(!still.matches);
  haltExample();
  showPicture({ kind: "pattern", name: SAMPLE }, true);
}

/**
 * Forget the answers to these wants. Without a verdict, no picture is known that the network saw.
 * @type {(isSuch: (want: Want) => boolean) => void}
 */
function forget(isSuch) {
  for (const lane of lanes.forget(isSuch)) data[/** @type {keyof Answers} */ (lane)] = null;
  if (!data.verdict) data.base = null;
}

/** @type {(error: unknown, words: string, again: () => void) => void} */
function openAgain(error, words, again) {
  if (!(error instanceof Refusal)) throw error;
  notice(`${refusal(error)} ${words}`, error.status === 401 ? keyField(context) : null);
  if (error.status !== 401) openingAgain = setTimeout(again, 3000);
}

/** Forget choices that this network does not have. */
function checkState() {
  const { at, changes, target, rival, layer } = store.get();
  const classes = network ? kindOf(network).labels.length : Infinity;
  /** @type {(slot: Slot) => boolean} */
  const has = ({ layer, filter }) => filter < (context.layer(layer)?.shape[0] ?? 0);
  const [, rows, columns] = (at && context.layer(at.layer)?.shape) || [0, 0, 0];
  const fits = at && has(at) && at.row < rows && at.column < columns;
  const kept = changes.filter(has);
  if (kept.length < changes.length)
    noticeToo("Some changes of the link belong to filters that this network does not have.");
  store.set({
    at: fits ? at : null,
    pinned: Boolean(fits && store.get().pinned),
    changes: kept,
    layer: context.layer(layer) ? layer : "",
    target: target !== null && target < classes ? target : null,
    rival: rival !== null && rival < classes ? rival : null,
  });
}

/** @type {(state: State, before: State) => void} */
function changed(state, before) {
  if (state.picture !== before.picture && state.picture.kind !== "strokes" && state.picture !== pad.shown) {
    remember(before);
    showPicture(state.picture);
  }
  if (state.ground !== before.ground) {
    fitPad();
    inkIsNew = true;
  }
  if (state.theme !== before.theme) setOn(document.documentElement, "data-theme", state.theme || null);
  setOn(document.documentElement, "data-big", state.big);
  setOn(byId("present"), "aria-pressed", String(state.big));
  setOn(document.documentElement, "data-hide", state.hide.join(" ") || null);
  if (state.view !== before.view) {
    showTab(state.view);
    setOn(byId("dock"), "hidden", state.view !== "network");
    view(state.view);
  }
  const isStep = state.view !== before.view || state.step !== before.step || (state.pinned && !before.pinned);
  addressKeeper.later(isStep);
  schedule();
}

function schedule() {
  if (frameAsked) return;
  frameAsked = true;
  requestAnimationFrame(() => {
    frameAsked = false;
    frame();
  });
}

function frame() {
  const state = store.get();
  write(byId("pad-hint"), hint(state));
  // What a picture is posted as is known when the network is.
  if (inkIsNew && network) takePicture(state.picture, network);
  data.input = data.base
    ? data.movedFrom === data.base && String(data.movedBy) === String(state.shift)
      ? data.input
      : moved(data.base, state.shift)
    : null;
  Object.assign(data, { movedFrom: data.base, movedBy: state.shift });
  if (network && data.maps && isCellOld(state) && strongest()) return store.set({ at: strongest() });
  const theme = state.theme || (dark.matches ? "dark" : "light");
  /** @type {Frame} */
  const seen = { state, data, weights, theme, isEmpty: !whole && !inkIsNew && !state.example };
  const model = network && { ...seen, network };
  const fault = network ? faultOf(state.view, network) : "";
  const wanted = model ? ask(model, fault) : [];
  verdict.draw({ ...seen, network });
  rail.draw({ ...seen, network });
  number?.draw(seen);
  camera?.draw(seen);
  if (model) {
    if (!fault) views[state.view]?.draw(model);
    dock?.draw(model);
  }
  setOn(byId(`view-${state.view}`), "data-refused", Boolean(fault));
  setOn(byId("dock"), "hidden", state.view !== "network" || Boolean(fault));
  standing.draw({ ...seen, network }, wanted, fault ? wayOut(fault, state.view) : null);
}

/**
 * Why the open view shows nothing of this network, and the way to one that it shows.
 * @type {(fault: string, name: ViewName) => { words: string, link: HTMLElement | null }}
 */
function wayOut(fault, name) {
  const other = ["lecture", "learn"].includes(name) && served.find(({ kind }) => !kind);
  if (!other) return { words: fault, link: null };
  const wished = `${other.name}@${other.version}`;
  return { words: fault, link: link(`Open it with ${other.name}`, () => choose(wished)) };
}

/** @type {Input | null} */
let cellOf = null; // the picture that the cell at hand was chosen on

/**
 * Whether there is no cell to explain, or one of a picture that is gone: a pinned one stays.
 * @type {(state: State) => boolean}
 */
function isCellOld({ at, pinned }) {
  const isOfNow = data.movedFrom === cellOf || data.maps?.want.request.picture !== data.input;
  if (at && (pinned || isOfNow)) return false;
  cellOf = data.movedFrom ?? null;
  return true;
}

/** @type {(state: State) => string} */
function hint({ example, picture }) {
  const kind = network && kindOf(network);
  if (example) return kind?.isColour ? hintWords(kind) : EXAMPLE_WORDS;
  return picture.kind === "strokes" && !picture.strokes.length ? hintWords(kind) : "";
}

/** @type {(picture: Chosen, network: Network) => void} */
function takePicture(picture, network) {
  inkIsNew = false;
  whole = posted(picture, pad, kindOf(network));
  number?.take(null);
  openedFirst = null;
  forget(({ lane }) => lane === "number");
  lookForSeveral();
  if (whole) return;
  forget(({ request }) => Boolean(request.picture));
  write(byId("live"), emptyWords(kindOf(network)));
}

/** Look for several digits, when a file was given or the pen has rested. */
function lookForSeveral() {
  const { picture, example } = store.get();
  clearTimeout(resting);
  const isLooked = picture.kind === "strokes" ? !example : picture.kind === "file" && !picture.isLive;
  if (!whole || !isLooked || !network || !kindOf(network).isDigits) return;
  const { picture: all } = whole;
  const look = async () => {
    if (pad.drawing) return void (resting = setTimeout(look, REST_MS));
    const { createNumber } = await import("./rail/number.js");
    if (all !== whole?.picture) return;
    number ??= createNumber(context, pad);
    number.take(postedWhole(picture, all, pad));
    schedule();
  };
  resting = setTimeout(look, picture.kind === "file" ? 0 : REST_MS);
}

/**
 * Ask what the open view and the rail need, or of a view that shows nothing of this network the rail; returns the wants.
 * @type {(model: Model, fault: string) => Want[]}
 */
function ask(model, fault) {
  const { state, network } = model;
  /** @type {Want[]} */
  const list = [];
  const part = number?.opened(state.part);
  if (part) list.push(verdictWant(network, { picture: part, isPrepared: false }));
  else if (whole) list.push(verdictWant(network, whole));
  list.push(...(number?.wants(network) ?? []));
  const edited = data.base && editedWant(network, data, state.changes);
  if (edited) list.push(edited);
  else forget(({ lane }) => lane === "edited");
  if (!fault) list.push(...(views[state.view]?.wants(model) || []), ...weightWants(state, network));
  for (const each of list) lanes.ask(each);
  return list;
}

/** @type {(state: State, network: Network) => Want[]} */
function weightWants({ at, slot }, network) {
  const layers = convolutions(network).filter(
    ({ name, parameters }) =>
      parameters <= MOST_WEIGHTS && !weights[name] && (name === at?.layer || name === slot.layer),
  );
  /** @type {(layer: string) => string} */
  const path = (layer) => `/v1/models/${network.name}/layers/${layer}/filters`;
  return layers.map(({ name }) =>
    want(
      `weights/${name}`,
      { path: path(name), query: { version: network.version, format: "npz" } },
      { isOptional: kindOf(network).isAdopted },
    ),
  );
}

/** @type {(report: Report) => void} */
function report({ lane, want: asked, answer }) {
  if (answer) keep(lane, { want: asked, answer });
  schedule();
}

/** @type {(lane: string, entry: Entry<unknown>) => void} */
function keep(lane, { want: asked, answer }) {
  // The contract says what a call answers, and the checker does not read it. So the answer gets its type here.
  const entry = /** @type {any} */ ({ want: asked, answer });
  if (lane.startsWith("weights/")) {
    const layer = lane.slice(8);
    const arrays = /** @type {Arrays} */ (answer);
    weights[layer] = { weights: arrays[`${layer}.weight`], biases: arrays[`${layer}.bias`] };
  } else if (lane === "maps" || lane === "base_maps") keepMaps(data, lane, entry);
  else if (lane === "verdict") keepVerdict(entry);
  else if (lane === "edited") keepEdited(entry);
  else if (lane === "number") keepNumber(entry);
  else data[/** @type {keyof Answers} */ (lane)] = entry;
}

/**
 * A what-if answers both verdicts; the one after the changes is shown.
 * @type {(entry: Entry<Results<Verdict & { before?: Verdict, after?: Verdict }>> & { want: EditedEntry["want"] }) => void}
 */
function keepEdited(entry) {
  const [result] = entry.answer.results;
  // What a network of photos saw is rounded to levels: both verdicts are to be of the same numbers.
  const before = network && kindOf(network).isAdopted ? result.before : undefined;
  data.edited = { ...entry, before, result: result.after || result };
}

/** @type {(entry: Entry<Results<Verdict>>) => Promise<void>} */
async function keepVerdict(entry) {
  const { want: asked } = entry;
  if (!network) return;
  const kept = { ...entry, result: entry.answer.results[0] };
  data.verdict = kept;
  announce();
  lastSeen += 1;
  const ticket = lastSeen;
  const seen = await seenBy(kept, kindOf(network).form);
  if (ticket !== lastSeen || data.verdict !== kept) return;
  data.base = seen;
  const { picture } = asked.request;
  if (picture === whole?.picture || picture === number?.opened(store.get().part)) showBox(seen, kept.result.prepared);
  schedule();
}

/** @type {(entry: ReadEntry) => Promise<void>} */
async function keepNumber(entry) {
  data.number = entry;
  if (!(await number?.keep(entry))) return;
  if (pad.image) pad.showImage({ ...pad.image, box: undefined });
  // All of it is no digit: unless one was chosen, every view is about the first.
  if (store.get().part === null) {
    openedFirst = number?.first() ?? null;
    store.set({ part: openedFirst });
  }
  announce();
  schedule();
}

/** @type {(seen: Input, prepared: Verdict["prepared"]) => void} */
function showBox(seen, prepared) {
  const { picture } = store.get();
  if (picture.kind !== "file") return;
  picture.seen = seen;
  if (prepared && pad.image && !pad.image.box && !number?.spoken() && !isWhole(prepared.box, pad.image.image))
    pad.showImage({ ...pad.image, box: prepared.box });
}

/**
 * Whether a box is all of a picture: then there is nothing to frame.
 * @type {(box: number[], image?: ImageBitmap | null) => boolean}
 */
const isWhole = ([, , width, height], image) =>
  Boolean(image) && !(network && kindOf(network).form.isInk) && width === image?.width && height === image.height;

/** @type {(layer: Pick<import("./numbers/types.d.ts").Layer, "op" | "name">) => Tensor | undefined} */
const mapsOf = (layer) => data.maps?.arrays[mapsName(layer)];

/**
 * Where a map answers most.
 * @type {(layer: string, filter: number) => number[]}
 */
function peak(layer, filter) {
  const info = context.layer(layer);
  const maps = info && mapsOf(info);
  return maps ? greatest(maps, filter).slice(1) : [0, 0];
}

/**
 * The cell of the first layer that answers most; null while there are no maps.
 * @type {() => Cell | null}
 */
function strongest() {
  const first = network && shownLayers(network, store.get().layer)[0];
  const maps = first && mapsOf(first);
  if (!maps) return null;
  const [filter, row, column] = greatest(maps);
  return { layer: first.name, filter, row, column };
}

/** @type {(at: Cell, moveFocus?: boolean) => void} */
function pin(at, moveFocus) {
  const { at: last, pinned } = store.get();
  const keys = /** @type {(keyof Cell)[]} */ (Object.keys(at));
  const isSame = pinned && last && keys.every((key) => at[key] === last[key]);
  store.set({ at, pinned: !isSame });
  if (moveFocus) dock?.focus();
}

function clear() {
  pad.clear();
  byId("pad").focus({ preventScroll: true });
}

/**
 * Draw the example. A person who draws before it is whole starts on a clear pad, too.
 * @type {(isPlayed: boolean) => void}
 */
function playExample(isPlayed) {
  haltExample();
  if (whole) remember(store.get());
  pad.show([]);
  if (!isPlayed || still.matches) {
    pad.show(EXAMPLE);
    finishExample();
    return;
  }
  setOn(byId("pad"), "aria-busy", "true");
  store.set({ example: true });
  stopExample = play(pad, EXAMPLE, 900, finishExample);
}

function haltExample() {
  stopExample?.();
  stopExample = null;
  setOn(byId("pad"), "aria-busy", null);
}

function finishExample() {
  haltExample();
  inkIsNew = true;
  store.set({ picture: { kind: "strokes", strokes: pad.strokes }, example: true, part: null });
}

/** @type {(picture: Chosen, example?: boolean) => void} */
function showPicture(picture, example = false) {
  haltExample();
  pad.shown = picture;
  if (picture.kind === "strokes") pad.show(picture.strokes);
  else if (picture.kind === "file") pad.showImage({ image: picture.image });
  else if (network) pad.showImage({ levels: levelsOf(picture, kindOf(network).form) });
  inkIsNew = true;
  store.set({ picture: picture.kind === "strokes" ? { ...picture, strokes: pad.strokes } : picture, example, part: null });
}

/** @type {(picture: Chosen, isNoted?: boolean) => void} */
function show(picture, isNoted = true) {
  if (isNoted) remember(store.get());
  showPicture(picture);
}

async function film() {
  const { createCamera } = await import("./rail/camera.js");
  camera ??= createCamera(context);
  await camera.start();
}

/** @type {(file: File) => Promise<void>} */
async function openFile(file) {
  const picture = await fromFile(file);
  notice(picture ? "" : UNREADABLE);
  if (picture) store.set({ picture });
}

/** @type {(state: Kept) => void} */
function remember(state) {
  history.past = [...history.past.slice(-HISTORY), kept(state)];
  history.future = [];
}

/**
 * A picture that later ink does not change.
 * @type {(state: Kept) => Kept}
 */
function kept({ picture, example }) {
  if (picture.kind !== "strokes") return { picture, example };
  const strokes = example ? EXAMPLE : picture.strokes; // the example may be half drawn
  return { picture: { ...picture, strokes: strokes.map((points) => [...points]) }, example };
}

/** @type {(from: Kept[], to: Kept[]) => void} */
function swap(from, to) {
  haltExample();
  const last = from.pop();
  if (!last) return;
  to.push(kept(store.get()));
  showPicture(last.picture, last.example);
}

function restart() {
  forget(() => true);
  openModels();
}

/** @type {(words: string, field?: HTMLElement | null) => void} */
function notice(words, field = null) {
  const box = byId("notice");
  if (field) box.replaceChildren(words, field);
  else write(box, words);
  setOn(box, "hidden", !words.trim());
}

/**
 * Say something beside what is said already.
 * @type {(words: string) => void}
 */
function noticeToo(words) {
  const box = byId("notice");
  const said = box.hidden ? "" : (box.textContent ?? "").trim();
  if (!said.includes(words)) notice(`${said} ${words}`.trim());
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let announcing;

/** Speak the verdict once the pen rests. */
function announce() {
  clearTimeout(announcing);
  announcing = setTimeout(() => {
    const result = data.verdict?.result;
    const { part } = store.get();
    const several = part === null || part === openedFirst ? number?.spoken() : null;
    if (result) write(byId("live"), several || spoken(result, sharesOf(result, network), network ? kindOf(network).labels : []));
  }, 1000);
}

// ---- views, address, page ----

/** @type {(name: ViewName) => void} */
function go(name) {
  open(name);
  focusTab(name);
}

/** @type {(name: ViewName) => Promise<void>} */
async function open(name) {
  const isHere = Boolean(views[name]);
  store.set({ view: name });
  fold(true);
  bringPanel(name);
  if (isHere) return;
  await view(name);
  requestAnimationFrame(() => requestAnimationFrame(() => bringPanel(name)));
}

/** What can be taken away of the page as it is: the verdict, and what the open view shows. */
async function fillTakeAway() {
  const { fillMenu } = await import("./shared/sharing.js");
  const formats = ["json", "npz"];
  const takes = [{ name: "verdict", record: () => data.verdict?.want.request, formats }];
  if (number?.spoken()) takes.push({ name: "number", record: () => data.number?.want.request, formats: ["json", "png"] });
  fillMenu(byId("take-menu"), [...takes, ...(views[store.get().view]?.takes ?? [])]);
}

/**
 * Whether the network that an address names, or means by naming none, is the one that is shown.
 * @type {(wished: string) => boolean}
 */
function isOpen(wished) {
  const meant = wished ? servedAs(wished) : (served.find((model) => model.default) ?? served[0]);
  return Boolean(network && meant) && meant?.name === network?.name && meant?.version === network?.version;
}

async function followAddress() {
  const changed = await addressKeeper.changed();
  if (!changed) return;
  const { state, problems } = changed;
  const { picture, model = DEFAULTS.model, ...others } = state;
  if (model !== store.get().model && !isOpen(model)) {
    // What else the address says is of that network.
    store.set({ model, changes: [], at: null, pinned: false });
    await openModels();
  }
  const found = model ? servedAs(model) : undefined;
  if (model && !found) Object.assign(others, { changes: [], at: null, pinned: false });
  store.set({ ...DEFAULTS, picture: store.get().picture, ...others, model: found ? `${found.name}@${found.version}` : "" });
  if (picture) showPicture(picture);
  store.set({ part: others.part ?? null });
  tellProblems(problems);
  checkState();
}

function listen() {
  // The link's own address would be one of a view.
  document.querySelector(".skip")?.addEventListener("click", (event) => {
    event.preventDefault();
    byId("stage").focus();
  });
  listenToTabs(open);
  watchTabs();
  listenToTerms();
  // What stays in sight while the rest scrolls.
  keepHeight("--head", /** @type {HTMLElement} */ (document.querySelector(".top")));
  keepHeight("--bar", byId("verdict"));
  listenToTakeAway();
  byId("present").addEventListener("click", present);
  document.addEventListener("keydown", (event) => {
    const isLetter = event.key.toLowerCase() === "p" && !event.ctrlKey && !event.metaKey && !event.altKey;
    const isTyped = event.target instanceof Element && event.target.closest("input, select, textarea, .kernel, dialog");
    if (isLetter && !isTyped && singleKeys.areOn()) present();
  });
  byId("draw-again").addEventListener("click", () => {
    fold(!isFolded());
    if (isFolded()) return bringPanel(store.get().view);
    byId("pad").scrollIntoView({ block: "center" });
    byId("pad").focus({ preventScroll: true });
  });
  const models = /** @type {HTMLSelectElement} */ (byId("model"));
  models.addEventListener("change", () => {
    choose(models.value);
  });
  byId("theme").addEventListener("click", () => {
    const isDark = (store.get().theme || (dark.matches ? "dark" : "light")) === "dark";
    store.set({ theme: isDark ? "light" : "dark" });
  });
  byId("share").addEventListener("click", async () => {
    await addressKeeper.now();
    const { shareLink } = await import("./shared/sharing.js");
    const { picture } = store.get();
    shareLink(picture, data.base);
  });
  byId("help").addEventListener("click", async () => {
    const { showHelp } = await import("./shared/sharing.js");
    showHelp(network);
  });
  dark.addEventListener("change", schedule);
  addEventListener("popstate", followAddress);
  addEventListener("hashchange", followAddress);
}

/**
 * Let the styles know how high an element is.
 * @type {(name: string, element: HTMLElement) => void}
 */
function keepHeight(name, element) {
  const tell = () => document.documentElement.style.setProperty(name, `${element.offsetHeight}px`);
  new ResizeObserver(tell).observe(element);
}

/**
 * Open a network, name@version; what is looked at stays.
 * @type {(wished: string) => void}
 */
function choose(wished) {
  const [name, version] = wished.split("@");
  selectModel(wished);
  // Filters that were changed are those of the network before.
  store.set({ model: wished, changes: [], at: null, pinned: false });
  openModel(name, version);
}

const isFolded = () => document.documentElement.hasAttribute("data-folded");

/**
 * Fold the pad and what belongs to it to a bar, which a phone does; where there is room, nothing changes.
 * @type {(isFolded: boolean) => void}
 */
function fold(isFolded) {
  setOn(document.documentElement, "data-folded", isFolded);
  write(byId("draw-again"), isFolded ? "Draw" : "Fold");
  setOn(byId("draw-again"), "aria-expanded", String(!isFolded));
}

function present() {
  store.set({ big: !store.get().big });
}

/** What explains words comes with the first word that is pointed at, focused or tapped. */
function listenToTerms() {
  const kinds = ["pointerover", "focusin", "click"];
  /** @type {(event: Event) => Promise<void>} */
  const listener = async ({ target }) => {
    const word = /** @type {HTMLElement | null} */ (target instanceof Element ? target.closest(".term") : null);
    if (!word) return;
    for (const kind of kinds) document.removeEventListener(kind, listener);
    const { explainTerms } = await import("./shared/terms.js");
    explainTerms(word);
  };
  for (const kind of kinds) document.addEventListener(kind, listener);
}

function listenToTakeAway() {
  const take = /** @type {HTMLDetailsElement} */ (byId("take"));
  take.addEventListener("toggle", () => take.open && fillTakeAway());
  const close = (/** @type {Event} */ { target }) => {
    if (!(target instanceof Node && take.contains(target))) take.open = false;
  };
  document.addEventListener("pointerdown", close);
  document.addEventListener("focusin", close);
  take.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    take.open = false;
    take.querySelector("summary")?.focus();
  });
}
