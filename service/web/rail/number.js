// Several digits in one picture, read as a number: its text, a button for each digit, and a box around each on the pad.
// A digit that is pressed is opened: it becomes the picture that every view is about.

import { networkCall, want } from "../state/api.js";
import { decodeSeen, INK_SIDE } from "../state/picture.js";
import { inputOf } from "../state/subject.js";
import { byId, changes, make, set, write } from "../shared/dom.js";
import { percent } from "../numbers/scales.js";
import { numberWords, REASONS, spokenNumber, WHOLE } from "../shared/words.js";
import { place } from "./frames.js";

/** @import { Input, Network, Picture, ReadDigit, Reading, Want } from "../state/types.d.ts" */
/** @import { Context } from "../shared/types.d.ts" */
/** @import { NumberRow, Shown } from "./types.d.ts" */

const PEN_MORE = 2 / INK_SIDE; // of the pad's side, on each side of a stroke

/** @type {(context: Context, pad: { image: Shown | null }) => NumberRow} */
export function createNumber(context, pad) {
  const text = make("p", { class: "number-text", id: "number-text" }, "");
  const list = make("div", { class: "row", role: "group", "aria-label": "The digits of the number" });
  const words = make("p", { class: "muted" }, "");
  const root = make("div", { class: "several", id: "several", hidden: true }, text, list, words);
  const boxes = make("div", { class: "boxes", "aria-hidden": "true" });
  byId("verdict").after(root);
  byId("drop").append(boxes);
  /** @type {Picture | null} */
  let picture = null;
  /** @type {Reading | null} */
  let reading = null;
  /** @type {Input[]} */
  let inputs = [];
  const isNew = changes();

  /** @type {(found: Reading | null) => void} */
  function show(found) {
    reading = found;
    set(root, "hidden", !found);
    boxes.replaceChildren();
    list.replaceChildren();
    if (!found) return;
    write(text, found.text);
    write(words, numberWords(found));
    const size = sizeOf(picture, pad.image);
    // The pad shows a thicker pen than the one whose ink was read.
    const margin = pad.image ? 0 : PEN_MORE * size.width;
    const marks = found.digits.map(({ digit, box }) => {
      const mark = make("span", { class: digit === null ? "unsure" : null });
      place(mark, box, size, margin);
      return mark;
    });
    boxes.replaceChildren(...marks);
    list.replaceChildren(...found.digits.map((digit, i) => button(digit, i, marks[i])), whole());
  }

  /** @type {(digit: ReadDigit, i: number, mark: HTMLElement) => HTMLElement} */
  function button(digit, i, mark) {
    const point = (/** @type {boolean} */ isOn) => () => mark.classList.toggle("pointed", isOn);
    return make(
      "button",
      {
        class: digit.digit === null ? "part unsure" : "part",
        "aria-label": `Digit ${i + 1} of ${reading?.digits.length}: ${said(digit)}`,
        title: said(digit),
        onclick: () => context.set({ part: i, shift: [0, 0] }),
        onpointerenter: point(true),
        onpointerleave: point(false),
        onfocus: point(true),
        onblur: point(false),
      },
      digit.digit === null ? `${digit.best ?? ""}?` : String(digit.digit),
    );
  }

  const whole = () => make("button", { class: "part whole", onclick: () => context.set({ part: null }) }, WHOLE);

  return {
    wants: (network) => (picture ? [numberWant(network, picture)] : []),
    take(next) {
      picture = next;
      inputs = [];
      show(null);
    },
    async keep(entry) {
      const [found] = entry.answer.results;
      // A scribble in pieces is no number: at least one digit is answered for.
      const isMany = found.digits.length > 1 && found.digits.some(({ digit }) => digit !== null);
      const isOfNow = () => entry.want.request.picture === picture;
      if (!isMany || !isOfNow()) return false;
      const decoded = await Promise.all(found.digits.map(({ prepared }) => decodeSeen(prepared.image)));
      if (!isOfNow()) return false;
      inputs = decoded.map((levels) => inputOf({ ...levels, isInk: true }));
      show(found);
      return true;
    },
    opened: (part) => (part === null ? null : (inputs[part] ?? null)),
    first: () => reading?.digits.findIndex(({ digit }) => digit !== null) ?? null,
    spoken: () => reading && spokenNumber(reading),
    draw({ state: { part } }) {
      if (!isNew(part, reading)) return;
      [...list.children].forEach((each, i) =>
        set(each, "aria-pressed", String(part === null ? i === list.children.length - 1 : i === part)),
      );
      [...boxes.children].forEach((each, i) => each.classList.toggle("chosen", i === part));
    },
  };
}

/** @type {(network: Network, picture: Picture) => Want} */
function numberWant(network, picture) {
  const call = networkCall("/v1/read", network, picture, { prepared_image: true }, true);
  return want("number", call, { isOptional: true });
}

/** @type {(digit: ReadDigit) => string} */
function said({ digit, best, confidence, reason }) {
  if (digit !== null) return `${digit}, ${percent(confidence)}`;
  return `${best === undefined ? "" : `perhaps ${best}, ${percent(confidence)}: `}${REASONS[reason ?? "unsure"]}`;
}

/**
 * The size of the picture in which the boxes are told.
 * @type {(picture: Picture | null, shown: Shown | null) => { width: number, height: number }}
 */
function sizeOf(picture, shown) {
  if (picture && !picture.bytes) return picture;
  return shown?.image ?? { width: 1, height: 1 };
}
