// Elements and their text. Nothing here, or anywhere on the page, turns text into markup.

const SVG = "http://www.w3.org/2000/svg";

/** Make an element: make("button", {class: "tool", onclick: undo}, "Undo"). */
export function make(tag, properties = {}, ...children) {
  return fill(document.createElement(tag), properties, children);
}

/** The same for a drawing made of shapes. */
export function shape(tag, properties = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), properties, children);
}

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) set(element, name, value);
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** Set one property, listener or attribute; null removes it, true leaves it empty. */
export function set(element, name, value) {
  if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
  else if (value === null || value === undefined || value === false) element.removeAttribute(name);
  else if (name === "value" || name === "checked") element[name] = value;
  else element.setAttribute(name, value === true ? "" : value);
}

/** Write a text only where it differs, so that a screen reader is not told the same twice. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** True when any of the values differs from the last time: `const isNew = changes(); if (isNew(maps, scale)) paint()`. */
export function changes() {
  let last = null;
  return (...values) => {
    const differs = !last || values.length !== last.length || values.some((value, i) => value !== last[i]);
    last = values;
    return differs;
  };
}

/** A labelled <select>; options are [value, label] or plain texts. */
export function select(label, options, onchange, properties = {}) {
  const box = make("select", { ...properties, onchange: () => onchange(box.value) });
  box.append(...options.map((option) => choice(option)));
  return { box, field: make("label", { class: "field" }, make("span", {}, label), box) };
}

export function choice(option) {
  const [value, text] = Array.isArray(option) ? option : [option, option];
  return make("option", { value }, text);
}

/** A labelled number box that calls back with a finite number within its bounds, and not otherwise. */
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

/** Radio buttons that look like one control. */
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
  const choose = (value) =>
    inputs.forEach((each) => {
      each.input.checked = each.value === value;
    });
  return { field, choose };
}
