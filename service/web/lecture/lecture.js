// lecture/ is the lecture in nine steps, on the digit that the visitor draws: this file is its frame, and each step has
// a file of its own, which comes when it is opened.
//
// A step has one sentence, one picture, and one thing to do. It ticks itself off when what was to be done is so.

import { make, set, write } from "../shared/dom.js";
import { singleKeys } from "../state/state.js";

/** @import { Model, Want } from "../state/types.d.ts" */
/** @import { Context, View } from "../shared/types.d.ts" */
/** @import { Create, Room, Step, StepText } from "./types.d.ts" */

const KEPT = "filterscope-lecture"; // the steps that are done, for as long as the tab is open
const SWIPE = 60;
const MISSING = "The service does not answer, and this step has not come. ";
const GOES_ON = matchMedia("(pointer: coarse)").matches ? "Swipe to the left to go on." : "Space goes on.";

// A sentence has at most 25 words.
/** @type {StepText[]} */
export const STEPS = [
  {
    title: "A picture is numbers",
    say: "The network sees your digit as 28 × 28 = 784 numbers: 0 is paper, 1 is ink, and grey lies between.",
    task: "put ink where there is paper: press an empty square of the large picture, so that its number becomes 1.",
    file: "./pixels.js",
  },
  {
    title: "Cut it into patches",
    say: "A small part is easier to read than the whole. Cut patches of 7 × 7, and step on by the stride.",
    task: "find the stride that gives 121 patches.",
    file: "./patches.js",
  },
  {
    title: "One patch times one filter",
    say: "A filter is 7 × 7 weights. Multiply patch and filter, number by number, and add it all up: one sum.",
    task: "move the frame to the patch with the greatest sum of all. The bar says how near you are.",
    file: "./product.js",
  },
  {
    title: "Slide it",
    say: "Do the same at every place. The 121 sums are a new picture, the map: where does this filter find its edge?",
    task: "fill the map to its last square: press Play, or drag the slider to its end.",
    file: "./slide.js",
  },
  {
    title: "Two opposing edges",
    say: "One filter looks for an edge along \\, the other along /. Blue is ink above and paper below it, orange the reverse.",
    task: "find a place where one filter answers clearly blue, and the other clearly orange.",
    file: "./pair.js",
  },
  {
    title: "Make your own",
    say: "You choose the weights: blue adds what lies under it, orange takes it away, and 0 ignores it.",
    task: "paint a filter that answers an upright edge at least twice as strongly as a level one.",
    file: "./own.js",
  },
  {
    title: "Pooling forgives",
    say: "Pooling keeps one number of every four. What moves by a pixel changes the map much, and what follows less.",
    task: "move the digit until more than half of the map has changed, and the network still reads the same digit.",
    file: "./pooling.js",
  },
  {
    title: "Learnt, not made",
    say: "Nobody made the network’s filters: training did. A filter is shared by all places, so it needs few weights.",
    task: "find the size of filter with which 20 shared filters and the ten digits need 2,230 weights.",
    file: "./learnt.js",
  },
  {
    title: "The pachinko",
    say: "Each filter of the last layer is a peg. It pushes ten sums up or down; the greatest wins, and softmax makes shares of them.",
    task: "switch off pegs, three at most, until the ball falls into another slot.",
    file: "./machine.js",
  },
];

/** @type {(root: HTMLElement, context: Context) => View} */
export function create(root, context) {
  const lecture = new Lecture(root, context);
  return { draw: (model) => lecture.draw(model), wants: (model) => lecture.wants(model), takes: [] };
}

class Lecture {
  /** @type {Map<number, Step>} */
  #steps = new Map();
  /** @type {Set<number>} */
  #done = new Set(kept());
  #shown = 0;
  #isFirst = true;

  /**
   * @param {HTMLElement} root
   * @param {Context} context
   */
  constructor(root, context) {
    this.context = context;
    this.view = root;
    /** @type {Room} */
    this.room = { context, source: "", redraw: context.redraw };
    this.dots = STEPS.map(({ title }, i) => {
      const button = make("button", { onclick: () => this.#go(i + 1) }, make("span", {}, String(i + 1)));
      return { button, title };
    });
    this.title = make("h2", { tabindex: "-1", id: "step-title" }, "");
    this.say = make("p", { class: "say" }, "");
    this.task = make("p", {}, "");
    this.mark = make("span", { class: "box", "aria-hidden": "true" }, "");
    this.said = make("p", { class: "said", role: "status" }, "");
    this.todo = make("div", { class: "todo-box" }, this.mark, this.task, this.said);
    this.back = make("button", { onclick: () => this.#go(context.store.get().step - 1) }, "Back");
    this.next = make("button", { class: "main", onclick: () => this.#go(context.store.get().step + 1) }, "Next");
    const print = make("button", { onclick: () => this.#print() }, "Print the nine questions");
    const path = this.dots.map(({ button }) => make("li", {}, button));
    this.stage = make("div", { class: "step" });
    this.lesson = make(
      "div",
      { class: "lecture" },
      make("nav", { "aria-label": "The nine steps" }, make("ol", { class: "path" }, path)),
      make("div", { class: "lecture-head" }, this.title, make("div", { class: "turn" }, this.back, this.next)),
      this.say,
      this.todo,
      this.stage,
      make("p", { class: "foot muted" }, "Space goes on, Shift Space back; on a phone, swipe. ", print),
    );
    this.sheet = make("section", { class: "worksheet", "aria-label": "Worksheet" });
    root.append(this.lesson, this.sheet);
    this.#listen();
  }

  /** @type {(model: Model) => Want[]} */
  wants(model) {
    return this.#steps.get(model.state.step)?.wants(model) ?? [];
  }

  /** @type {(model: Model) => void} */
  draw(model) {
    const { step: number } = model.state;
    if (number !== this.#shown) this.#show(number);
    const step = this.#steps.get(number);
    if (!step) return;
    step.draw(model);
    if (!this.#done.has(number) && step.isDone(model)) this.#tick(number);
  }

  /** @type {(number: number) => void} */
  #show(number) {
    const { title, say, task } = STEPS[number - 1];
    this.#steps.get(this.#shown)?.leave?.();
    this.#shown = number;
    write(this.title, `${number} ${title}`);
    write(this.say, say);
    this.task.replaceChildren(make("b", {}, "Try it: "), task);
    set(this.back, "disabled", number === 1);
    set(this.next, "disabled", number === STEPS.length);
    this.#marks();
    const step = this.#steps.get(number);
    this.stage.replaceChildren(...(step ? [step.root] : []));
    if (!step) this.#open(number);
    // At the first look the page begins at its top, where the digit is.
    if (!this.#isFirst) this.title.focus({ preventScroll: this.#isInSight() });
    this.#isFirst = false;
  }

  #isInSight() {
    const { top } = this.title.getBoundingClientRect();
    return top > 60 && top < innerHeight / 2;
  }

  /** @type {(number: number) => Promise<void>} */
  async #open(number) {
    try {
      /** @type {{ create: Create }} */
      const { create: build } = await import(STEPS[number - 1].file);
      if (!this.#steps.has(number)) this.#steps.set(number, build(this.room));
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      const again = make("button", { onclick: () => this.#open(number) }, "Try again");
      if (this.#shown === number) this.stage.replaceChildren(make("p", {}, MISSING, again));
      return;
    }
    const step = this.#steps.get(number);
    if (this.#shown === number && step) this.stage.replaceChildren(step.root);
    this.context.redraw();
  }

  /** @type {(number: number) => void} */
  #tick(number) {
    this.#done.add(number);
    sessionStorage.setItem(KEPT, JSON.stringify([...this.#done]));
    this.#marks();
  }

  #marks() {
    this.dots.forEach(({ button, title }, i) => {
      const isDone = this.#done.has(i + 1);
      set(button, "aria-current", i + 1 === this.#shown ? "step" : null);
      set(button, "aria-label", `${i + 1} ${title}${isDone ? ", done" : ""}`);
      set(button, "title", title);
      set(button, "class", isDone ? "done" : null);
    });
    const isDone = this.#done.has(this.#shown);
    set(this.todo, "class", isDone ? "todo-box done" : "todo-box");
    write(this.mark, isDone ? "\u2713" : "");
    const isLast = this.#shown === STEPS.length;
    write(this.said, isDone ? `Done. ${isLast ? "That was the last of the nine." : GOES_ON}` : "");
  }

  /** @type {(number: number) => void} */
  #go(number) {
    if (number >= 1 && number <= STEPS.length) this.context.set({ step: number });
  }

  async #print() {
    const { worksheet } = await import("./worksheet.js");
    this.sheet.replaceChildren(...worksheet(this.context.data));
    print();
  }

  #listen() {
    document.addEventListener("keydown", (event) => {
      if (this.view.hidden || event.key !== " " || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.defaultPrevented || !singleKeys.areOn() || !isQuiet(document.activeElement)) return;
      event.preventDefault();
      this.#go(this.context.store.get().step + (event.shiftKey ? -1 : 1));
    });
    /** @type {Touch | null} */
    let start = null;
    this.lesson.addEventListener("touchstart", ({ touches, target }) => {
      start = touches.length === 1 && isSwiped(target) ? touches[0] : null;
    });
    this.lesson.addEventListener("touchend", ({ changedTouches: [end] }) => {
      if (!start) return;
      const [right, down] = [end.clientX - start.clientX, end.clientY - start.clientY];
      if (Math.abs(right) > SWIPE && Math.abs(down) < Math.abs(right) / 2)
        this.#go(this.context.store.get().step + (right < 0 ? 1 : -1));
    });
  }
}

/**
 * Whether Space means nothing where the focus is.
 * @type {(focused: Element | null) => boolean}
 */
function isQuiet(focused) {
  return !focused?.closest("button, a, input, select, textarea, summary, dialog, canvas, [role='grid'], [role='tab']");
}

/**
 * Whether a finger that starts here may turn the page, and does not drag something.
 * @type {(target: EventTarget | null) => boolean}
 */
function isSwiped(target) {
  return target instanceof Element && !target.closest("[role='grid'], input, .scroll");
}

/** @type {() => number[]} */
function kept() {
  try {
    const found = JSON.parse(sessionStorage.getItem(KEPT) ?? "[]");
    return Array.isArray(found) ? found.filter((each) => STEPS[each - 1]) : [];
  } catch {
    return [];
  }
}
