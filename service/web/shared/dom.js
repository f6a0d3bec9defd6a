// shared/ has what every view is built of: elements, maps, captions, the words of the page.
//
// This file makes elements and their text. Nothing here, or anywhere on the page, turns text into markup.

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
 * A caption. Each part of the text that stands in [brackets] is a link, and does the act of its turn.
 * @type {(text: string, ...acts: (() => void)[]) => HTMLElement}
 */
export function caption(text, ...acts) {
  const parts = text.split(/[[\]]/);
  return make(
    "p",
    { class: "caption" },
    parts.map((part, i) => (i % 2 ? link(part, acts[(i - 1) / 2]) : part)),
  );
}

/**
 * A labelled <select>; options are [value, label] or plain texts.
 * @type {(label: string, options: readonly Choice[], onchange: (value: string) => void,
 *   properties?: Properties) => Field<HTMLSelectElement>}
 */
export function select(label, options, onchange, properties = {}) {
  const box = make("select", { ...properties, onchange: () => onchange(box.value) });
  box.append(...options.map((option) => choice(option)));
  return { box, field: make("label", { class: "field" }, make("span", {}, label), box) };
}

/** @type {(option: Choice) => HTMLOptionElement} */
export function choice(option) {
  const [value, text] = Array.isArray(option) ? option : [option, option];
  return make("option", { value }, text);
}

/**
 * A labelled number box that calls back with a finite number within its bounds, and not otherwise.
 * @type {(label: string, bounds: Bounds, onchange: (value: number) => void,
 *   properties?: Properties) => Field<HTMLInputElement>}
 */
export function number(label, { min, max, step = 1, value }, onchange, properties = {}) {
  const box = make("input", { type: "number", min, max, step, value, inputmode: "decimal", ...properties });
  box.addEventListener("input", () => {
    const typed = box.valueAsNumber;
    if (Number.isFinite(typed) && typed >= min && typed <= max && (step === "any" || Number.isInteger(typed / step))) {
      box.removeAttribute("aria-invalid");
      onchange(typed);
    } else box.setAttribute("aria-invalid", "true");
  });
  return { box, field: make("label", { class: "field" }, make("span", {}, label), box) };
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
