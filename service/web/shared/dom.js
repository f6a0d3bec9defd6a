// shared/ has what every view is built of: elements, maps, captions, the words of the page.
//
// This file makes elements and their text. Nothing here, or anywhere on the page, turns text into markup.

import { short } from "../numbers/scales.js";

/** @import { Bounds, Child, Choice, Field, Properties, Property, Radios } from "./types.d.ts" */

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element of index.html. Every id that is asked for is in it, so that none is missing.
 * @type {(id: string) => HTMLElement}
 */
export const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/**
 * A view whose members are not all there yet: whoever makes it adds the others before it is drawn.
 * @template View
 * @param {Partial<NoInfer<View>>} members
 * @returns {View}
 */
export function begun(members) {
  return /** @type {View} */ (members);
}

/**
 * Make an element: make("button", {class: "tool", onclick: undo}, "Undo").
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Properties} properties
 * @param {(Child | Child[])[]} children
 */
export function make(tag, properties = {}, ...children) {
  return fill(document.createElement(tag), properties, children);
}

/**
 * The same for a drawing made of shapes.
 * @template {keyof SVGElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Properties} properties
 * @param {(Child | Child[])[]} children
 */
export function shape(tag, properties = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), properties, children);
}

/**
 * @template {Element} Kind
 * @param {Kind} element
 * @param {Properties} properties
 * @param {(Child | Child[])[]} children
 */
function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) set(element, name, value);
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/**
 * Set one listener, attribute or value. null and false remove an attribute; true makes an empty one.
 * @type {(element: Element, name: string, value: Property) => void}
 */
export function set(element, name, value) {
  if (typeof value === "function") element.addEventListener(name.slice(2), value);
  else if (value === null || value === undefined || value === false) element.removeAttribute(name);
  else if (name === "value" || name === "checked") Object.assign(element, { [name]: value });
  else element.setAttribute(name, value === true ? "" : String(value));
}

/**
 * Write a text only where it differs, so that a screen reader does not read the same twice.
 * @type {(element: Element, text: string) => void}
 */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * True when any of the values differs from the last time: `const isNew = changes(); if (isNew(maps, scale)) paint()`.
 * @type {() => (...values: unknown[]) => boolean}
 */
export function changes() {
  /** @type {unknown[] | null} */
  let last = null;
  return (...values) => {
    const differs = !last || values.length !== last.length || values.some((value, i) => value !== last?.[i]);
    last = values;
    return differs;
  };
}

/**
 * A button that reads as a part of its sentence.
 * @type {(words: string, act: () => void) => HTMLElement}
 */
export function link(words, act) {
  return make("button", { class: "link", onclick: act }, words);
}

/**
 * A caption. Each part of the text that stands in [brackets] is a link, and does the act of its turn. A word in {braces}
 * is one that the glossary explains.
 * @type {(text: string, ...acts: (() => void)[]) => HTMLElement}
 */
export function caption(text, ...acts) {
  const turns = [...acts];
  const parts = text.split(/(\[[^\]]*\]|\{[^}]*\})/).map((part) => {
    if (part.startsWith("{")) return term(part.slice(1, -1));
    return part.startsWith("[") ? link(part.slice(1, -1), turns.shift() ?? (() => {})) : part;
  });
  return make("p", { class: "caption" }, parts);
}

/**
 * A word that the glossary (terms.js) explains; `words` stand for it where it is not written as it is.
 * @type {(name: string, words?: string) => HTMLElement}
 */
export function term(name, words = name) {
  return make("dfn", {}, make("button", { class: "term", type: "button", "data-term": name.toLowerCase() }, words));
}

/**
 * The same as a mark beside a label.
 * @type {(name: string) => HTMLElement}
 */
export function mark(name) {
  const label = `What is ${name}?`;
  return make("button", { class: "term mark", type: "button", "data-term": name, "aria-label": label }, "?");
}

/**
 * Words for a network of digits, and those that stand in their place for any other.
 * @type {(ofDigits: string, ofClasses: string) => HTMLElement[]}
 */
export const either = (ofDigits, ofClasses) => [
  make("span", { class: "of-digits" }, ofDigits),
  make("span", { class: "of-classes" }, ofClasses),
];

/**
 * Show something in the page's one dialog.
 * @type {(title: string, ...content: (Node | string)[]) => HTMLDialogElement}
 */
export function openDialog(title, ...content) {
  const dialog = /** @type {HTMLDialogElement} */ (byId("dialog"));
  const close = make("button", { onclick: () => dialog.close() }, "Close");
  dialog.replaceChildren(make("h2", { id: "dialog-title" }, title), ...content, make("div", { class: "row" }, close));
  if (!dialog.open) dialog.showModal();
  return dialog;
}

/**
 * A labelled <select>; options are [value, label] or plain texts.
 * @type {(label: string, options: readonly Choice[], onchange: (value: string) => void,
 *   properties?: Properties) => Field<HTMLSelectElement>}
 */
export function select(label, options, onchange, properties = {}) {
  const box = make("select", { ...properties, onchange: () => onchange(box.value) });
  box.append(...options.map((option) => choice(option)));
  return { box, field: labelled(label, box) };
}

let labels = 0;

/**
 * A control with its label above it. What explains the label stands beside it: inside, a press on it would be one on
 * the control.
 * @type {(label: string, box: HTMLElement, ...others: Child[]) => HTMLElement}
 */
function labelled(label, box, ...others) {
  labels += 1;
  box.id ||= `field-${labels}`;
  const name = make("span", { class: "name" }, make("label", { for: box.id }, label));
  return make("div", { class: "field" }, name, box, ...others);
}

/**
 * Put what explains a control beside its label.
 * @template {HTMLElement} Control
 * @param {Field<Control>} field
 * @param {HTMLElement} explanation
 */
export function explained(field, explanation) {
  field.field.querySelector(".name")?.append(" ", explanation);
  return field;
}

/** @type {(option: Choice) => HTMLOptionElement} */
export function choice(option) {
  const [value, text] = Array.isArray(option) ? option : [option, option];
  return make("option", { value }, text);
}

/**
 * A labelled number box that calls back with a finite number within its bounds, and not otherwise: then it says them,
 * and takes its last number again when it is left.
 * @type {(label: string, bounds: Bounds, onchange: (value: number) => void,
 *   properties?: Properties) => Field<HTMLInputElement>}
 */
export function number(label, { min, max, step = 1, value }, onchange, properties = {}) {
  const box = make("input", { type: "number", min, max, step, value, inputmode: "decimal", ...properties });
  const bounds = make("span", { class: "bad", role: "status" }, "");
  let last = String(value);
  /** @type {(isRight: boolean) => void} */
  const judge = (isRight) => {
    set(box, "aria-invalid", isRight ? null : "true");
    write(bounds, isRight ? "" : `${short(min)} to ${short(max)}`);
  };
  box.addEventListener("focus", () => {
    last = box.value;
  });
  box.addEventListener("input", () => {
    const typed = box.valueAsNumber;
    const isRight =
      Number.isFinite(typed) && typed >= min && typed <= max && (step === "any" || Number.isInteger(typed / step));
    judge(isRight);
    if (!isRight) return;
    last = box.value;
    onchange(typed);
  });
  box.addEventListener("blur", () => {
    if (box.hasAttribute("aria-invalid")) box.value = last;
    judge(true);
  });
  return { box, field: labelled(label, box, bounds) };
}

/**
 * Show a value in a number box, unless someone is typing there.
 * @type {(field: Field<HTMLInputElement>, value: number | string) => void}
 */
export function show({ box }, value) {
  if (document.activeElement !== box) box.value = String(value);
}

/**
 * Radio buttons that look like one control.
 * @template {string} Value
 * @param {string} legend
 * @param {string} name
 * @param {[Value, string][]} options
 * @param {(value: Value) => void} onchange
 * @returns {Radios}
 */
export function radios(legend, name, options, onchange) {
  const inputs = options.map(([value, text]) => {
    const input = make("input", { type: "radio", name, value, onchange: () => onchange(value) });
    return { value, input, label: make("label", {}, input, make("span", {}, text)) };
  });
  const field = make(
    "fieldset",
    { class: "radios" },
    make("legend", {}, legend),
    inputs.map(({ label }) => label),
  );
  /** @type {(value: string) => void} */
  const choose = (value) =>
    inputs.forEach((each) => {
      each.input.checked = each.value === value;
    });
  return { field, choose };
}
