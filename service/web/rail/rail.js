// rail/ is the left side of the page: the pad (drawing.js), its tools (here) and the verdict (verdict.js).
//
// The tools are undo, clear, files, camera and test patterns. Notes under them say what is changed or shifted.

import { byId, changes, choice, link, make, set } from "../shared/dom.js";
import { PATTERNS, pictureIn } from "../state/picture.js";
import { verdictsOf } from "../state/subject.js";
import { refusal } from "../shared/words.js";

/** @import { Refusal } from "../state/api.js" */
/** @import { Data, Frame, State } from "../state/types.d.ts" */
/** @import { Context, Properties } from "../shared/types.d.ts" */

/** @type {(context: Context) => { draw(model: Frame): void }} */
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
  const patterns = make("select", { "aria-label": "Test pattern" }, choice(["", "Test pattern…"]));
  patterns.append(...Object.entries(PATTERNS).map(([name, [label]]) => choice([name, label])));
  patterns.addEventListener("change", () => {
    if (patterns.value) context.set({ picture: { kind: "pattern", name: patterns.value } });
  });
  /** @type {(name: string, act: () => void, properties?: Properties) => HTMLElement} */
  const tool = (name, act, properties = {}) => make("button", { onclick: act, ...properties }, name);
  const undo = tool("Undo", () => context.pad.undo());
  const clear = tool("Clear", () => context.clear(), { id: "clear" });
  const camera = tool("Camera", () => context.film());
  set(camera, "hidden", !navigator.mediaDevices?.getUserMedia);
  byId("pad-tools").append(
    undo,
    clear,
    tool("Picture…", () => file.click()),
    camera,
    tool("Example", () => context.example()),
    patterns,
    file,
  );
  listenForPictures(context);
  return { draw: createNotes(context, patterns) };
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

/** @type {(context: Context, patterns: HTMLSelectElement) => (model: Frame) => void} */
function createNotes(context, patterns) {
  const root = byId("rail-notes");
  const isNew = changes();
  return ({ state, data }) => {
    patterns.value = state.picture.kind === "pattern" ? state.picture.name : "";
    const { error } = context.lanes.standing("verdict");
    if (!isNew(state.changes, state.shift, error, data.edited, state.picture.kind)) return;
    root.replaceChildren(...notes(context, state, data, error));
  };
}

/** @type {(context: Context, state: State, data: Data, error: Refusal | null) => HTMLElement[]} */
function notes(context, state, data, error) {
  /** @type {(words: string, action: string, act: () => void) => HTMLElement} */
  const chip = (words, action, act) => make("p", { class: "chip" }, make("span", {}, words), link(action, act));
  const list = [];
  if (error)
    list.push(make("p", { class: "problem" }, refusal(error), error.status === 401 ? keyField(context) : null));
  if (state.changes.length) {
    const count = state.changes.length === 1 ? "1 filter changed" : `${state.changes.length} filters changed`;
    const { before, shown } = verdictsOf(data);
    const both = before && shown ? `: ${before.digit} before, ${shown.digit} now. The orange tick is before` : "";
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
