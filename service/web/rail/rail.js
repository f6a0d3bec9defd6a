// rail/ is the left side of the page: the pad (drawing.js), its tools (here) and the verdict (verdict.js).
//
// The tools are undo, clear, files, camera and test patterns. Notes under them say what is changed or shifted.

import { byId, changes, choice, link, make, set } from "../shared/dom.js";
import { kindOf } from "../state/kind.js";
import { PATTERNS, pictureIn, SAMPLES } from "../state/picture.js";
import { verdictsOf } from "../state/subject.js";
import { counted, notLooked, refusal } from "../shared/words.js";

/** @import { Refusal } from "../state/api.js" */
/** @import { Data, Frame, Kind, Network, State } from "../state/types.d.ts" */
/** @import { Context, Properties } from "../shared/types.d.ts" */

/** @typedef {Frame & { network: Network | null }} Shown */

/** @type {(context: Context) => { draw(model: Shown): void }} */
export function createRail(context) {
  const file = make("input", {
    type: "file",
    accept: "image/*",
    class: "unseen",
    tabindex: "-1",
    "aria-hidden": "true",
  });
  file.addEventListener("change", () => {
    if (file.files?.[0]) context.openFile(file.files[0]);
    file.value = "";
  });
  const patterns = make("select", { "aria-label": "Test pattern" });
  patterns.addEventListener("change", () => {
    if (patterns.value) context.set({ picture: { kind: "pattern", name: patterns.value } });
  });
  /** @type {(name: string, act: () => void, properties?: Properties) => HTMLElement} */
  const tool = (name, act, properties = {}) => make("button", { onclick: act, ...properties }, name);
  const undo = tool("Undo", () => context.pad.undo());
  const clear = tool("Clear", () => context.clear(), { id: "clear" });
  const camera = tool("Camera", () => context.film());
  set(camera, "hidden", !navigator.mediaDevices?.getUserMedia);
  const ground = tool("Light on dark", () => {
    context.set({ ground: context.store.get().ground === "dark" ? "light" : "dark" });
  });
  set(ground, "hidden", true);
  byId("pad-tools").append(
    undo,
    clear,
    tool("Picture…", () => file.click()),
    camera,
    tool("Example", () => context.example()),
    ground,
    patterns,
    file,
  );
  byId("pad").addEventListener("click", () => isForPictures() && file.click());
  byId("pad").addEventListener("keydown", (event) => {
    if (!isForPictures() || !["Enter", " "].includes(event.key)) return;
    event.preventDefault();
    file.click();
  });
  listenForPictures(context);
  const draw = createNotes(context, patterns);
  const kindIsNew = changes();
  return {
    draw: (model) => {
      const kind = model.network && kindOf(model.network);
      if (kindIsNew(kind)) suit(kind, patterns, ground);
      set(ground, "aria-pressed", String(model.state.ground === "dark"));
      draw(model);
    },
  };
}

/** Whether the pad shows pictures and takes no ink. */
const isForPictures = () => byId("pad").classList.contains("off");

/**
 * The tools and the names of the rail as they suit a network.
 * @type {(kind: Kind | null, patterns: HTMLSelectElement, ground: HTMLElement) => void}
 */
function suit(kind, patterns, ground) {
  const isInk = kind?.form.isInk ?? true;
  const named = isInk ? Object.entries(PATTERNS) : [...Object.entries(SAMPLES), ...Object.entries(PATTERNS)];
  const first = isInk ? "Test pattern…" : "Sample…";
  patterns.replaceChildren(choice(["", first]), ...named.map(([name, [label]]) => choice([name, label])));
  set(ground, "hidden", isInk || kind?.isColour);
  set(byId("rail"), "aria-label", kind && !kind.isDigits ? "Your picture" : "Your digit");
  set(byId("pad"), "aria-label", kind?.isColour ? "Your picture: press to choose a file" : "Drawing pad");
  set(byId("pad"), "role", kind?.isColour ? "button" : "application");
  set(byId("pad"), "aria-roledescription", kind?.isColour ? null : "drawing pad");
  set(byId("pad"), "aria-describedby", kind?.isColour ? null : "pad-keys");
}

/** @type {(context: Context) => void} */
function listenForPictures(context) {
  const box = byId("drop");
  document.addEventListener("paste", (event) => {
    const found = pictureIn(event.clipboardData);
    if (!found) return;
    event.preventDefault();
    context.openFile(found);
  });
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    box.classList.add("over");
  });
  document.addEventListener("dragleave", () => box.classList.remove("over"));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    box.classList.remove("over");
    const found = pictureIn(event.dataTransfer);
    if (found) context.openFile(found);
  });
}

/** @type {(context: Context, patterns: HTMLSelectElement) => (model: Shown) => void} */
function createNotes(context, patterns) {
  const root = byId("rail-notes");
  const isNew = changes();
  return ({ state, data }) => {
    patterns.value = state.picture.kind === "pattern" ? state.picture.name : "";
    const { error } = context.lanes.standing("verdict");
    const several = context.lanes.standing("number").error;
    if (!isNew(state.changes, state.shift, error, several, data.edited, state.picture.kind)) return;
    root.replaceChildren(...notes(context, state, data, error, several));
  };
}

/**
 * several: why it is not known whether the picture has several digits
 * @type {(context: Context, state: State, data: Data, error: Refusal | null, several: Refusal | null) => HTMLElement[]}
 */
function notes(context, state, data, error, several) {
  /** @type {(words: string, action: string, act: () => void) => HTMLElement} */
  const chip = (words, action, act) => make("p", { class: "chip" }, make("span", {}, words), link(action, act));
  const list = [];
  if (error)
    list.push(make("p", { class: "problem" }, refusal(error), error.status === 401 ? keyField(context) : null));
  else if (several) list.push(make("p", { class: "problem", id: "several-problem" }, notLooked(several)));
  if (state.changes.length) {
    const count = `${counted(state.changes.length, "filter")} changed`;
    const { before, shown } = verdictsOf(data);
    const both = before && shown ? `: ${before.label} before, ${shown.label} now. The orange tick is before` : "";
    list.push(chip(`${count}${both}.`, "undo all", () => context.set({ changes: [] })));
  }
  if (String(state.shift) !== "0,0")
    list.push(chip(`Shifted by ${state.shift.join(", ")} pixels.`, "back", () => context.set({ shift: [0, 0] })));
  return list;
}

/**
 * Where a key is typed in, for a service that wants one.
 * @type {(context: Context) => HTMLElement}
 */
export function keyField(context) {
  const box = make("input", { type: "password", "aria-label": "Key", autocomplete: "off" });
  const use = () => {
    sessionStorage.setItem("filterscope-key", box.value);
    context.restart();
  };
  return make("span", { class: "row" }, box, make("button", { onclick: use }, "Use"));
}
