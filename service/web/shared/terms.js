// What a word means, where it stands: pointed at, focused or tapped, a word of the glossary is explained beside it.

import { byId, make, set, write } from "./dom.js";

const GAP = 6; // pixels from the word to its explanation

/**
 * One explanation for the whole page, of this word first. It can be pointed at itself, and Escape closes it.
 * @type {(first: HTMLElement) => void}
 */
export function explainTerms(first) {
  const box = make("div", { id: "explanation", role: "tooltip", hidden: true });
  document.body.append(box);
  /** @type {HTMLElement | null} */
  let shown = null;
  const hide = () => {
    set(box, "hidden", true);
    if (shown) set(shown, "aria-describedby", null);
    shown = null;
  };
  /** @type {(word: HTMLElement) => Promise<void>} */
  const show = async (word) => {
    if (shown === word) return;
    hide();
    shown = word;
    const { GLOSSARY, OF_CLASSES } = await import("./glossary.js");
    if (shown !== word) return;
    const name = word.dataset.term ?? "";
    const isOfDigits = !document.documentElement.hasAttribute("data-classes");
    write(box, (isOfDigits ? undefined : OF_CLASSES[name]) ?? GLOSSARY[name] ?? "");
    set(box, "hidden", false);
    set(word, "aria-describedby", "explanation");
    place(box, word);
  };
  /** @type {(event: Event) => HTMLElement | null} */
  const wordOf = ({ target }) => (target instanceof Element ? target.closest(".term") : null);
  document.addEventListener("pointerover", (event) => {
    const word = wordOf(event);
    if (word) show(word);
    else if (shown && document.activeElement !== shown && event.target !== box) hide();
  });
  document.addEventListener("focusin", (event) => {
    const word = wordOf(event);
    if (word) show(word);
    else hide();
  });
  document.addEventListener("click", (event) => {
    const word = wordOf(event);
    if (word) show(word);
    else if (event.target !== box) hide();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && shown) hide();
  });
  addEventListener("scroll", hide, { passive: true });
  const dialog = byId("dialog");
  dialog.addEventListener("close", () => document.body.append(box));
  show(first);
}

/**
 * Below the word, or above it where there is no room, and within the window.
 * @type {(box: HTMLElement, word: HTMLElement) => void}
 */
function place(box, word) {
  const { left, top, bottom } = word.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = box;
  const isBelow = bottom + GAP + height <= innerHeight;
  box.style.left = `${Math.max(GAP, Math.min(left, document.documentElement.clientWidth - width - GAP))}px`;
  box.style.top = `${isBelow ? bottom + GAP : Math.max(GAP, top - GAP - height)}px`;
}
