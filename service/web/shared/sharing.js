// The request of a panel as code, its answer as a file, the link to this view; and the one dialog.

import { Refusal, send } from "../state/api.js";
import { byId, caption, make, set, write } from "./dom.js";
import { LANGUAGES, plain } from "../state/snippets.js";
import { ABOUT, KEYS, LINK_KEEPS_ALL, LINK_KEEPS_PIXELS, refusal } from "./words.js";

/** @import { Request } from "../state/types.d.ts" */

/**
 * "Copy as" and "download" for one panel; getRecord gives the request record that made it, or nothing yet.
 * @type {(name: string, getRecord: () => Request | null | undefined, formats: string[]) => HTMLElement}
 */
export function shareRow(name, getRecord, formats) {
  const said = make("span", { class: "muted", role: "status" }, "");
  /** @type {(act: (record: Request) => void) => () => void} */
  const withRecord = (act) => () => {
    const record = getRecord();
    if (record) act(record);
    else write(said, "nothing was asked yet");
  };
  const copies = Object.keys(LANGUAGES).map((language) => {
    return make(
      "button",
      { "aria-label": `${language} of ${name}`, onclick: withRecord((record) => showCode(name, record, language)) },
      language,
    );
  });
  const files = formats.map((format) => {
    return make(
      "button",
      {
        "aria-label": `Download ${name} as ${format}`,
        onclick: withRecord((record) => download(name, record, format, said)),
      },
      format,
    );
  });
  return make(
    "div",
    { class: "share-row", "data-code": true, role: "group", "aria-label": `Take ${name} away` },
    make("span", { class: "muted" }, "as"),
    copies,
    make("span", { class: "muted" }, "file"),
    files,
    said,
  );
}

/**
 * The record with another format of answer; JSON for code, so that it can be read.
 * @type {(record: Request, format: string) => Request}
 */
function asFormat(record, format) {
  if (record.json?.format) return { ...record, json: { ...record.json, format } };
  return { ...record, query: { ...record.query, format: format === "json" ? undefined : format } };
}

/** @type {(name: string, record: Request, language: string) => Promise<void>} */
async function showCode(name, record, language) {
  const text = LANGUAGES[language](
    await plain(asFormat(record, "json"), location.origin),
    Boolean(sessionStorage.getItem("filterscope-key")),
  );
  const said = make("span", { class: "muted", role: "status" }, "");
  const code = make("pre", { tabindex: "0", "aria-label": `${language} code` }, make("code", {}, text));
  const copy = make(
    "button",
    {
      class: "main",
      onclick: async () => write(said, (await copyText(text, code)) ? "copied" : "selected: copy it with Ctrl C"),
    },
    "Copy",
  );
  openDialog(`${name}, as ${language}`, code, make("div", { class: "row" }, copy, said));
}

/** @type {(name: string, record: Request, format: string, said: HTMLElement) => Promise<void>} */
async function download(name, record, format, said) {
  write(said, "…");
  try {
    const blob = await send({ ...asFormat(record, format), raw: true });
    save(/** @type {Blob} */ (blob), `filterscope-${name.replaceAll(" ", "-")}.${format}`);
    write(said, "");
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    write(said, refusal(error));
  }
}

/**
 * Hand a file to the reader.
 * @type {(blob: Blob, filename: string) => void}
 */
export function save(blob, filename) {
  const url = URL.createObjectURL(blob);
  const link = make("a", { href: url, download: filename });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

/**
 * Copy a text; where the browser forbids that, select it instead.
 * @type {(text: string, element: Element) => Promise<boolean>}
 */
export async function copyText(text, element) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    getSelection()?.selectAllChildren(element);
    return false;
  }
}

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
 * The link dialog: the address as it is, to copy.
 * @type {(isPhoto: boolean) => void}
 */
export function shareLink(isPhoto) {
  const box = make("input", { type: "text", readonly: true, value: location.href, "aria-label": "Link to this view" });
  box.style.width = "min(100%, 60ch)";
  const said = make("span", { class: "muted", role: "status" }, "");
  const copy = make(
    "button",
    {
      class: "main",
      onclick: async () => {
        box.select();
        write(said, (await copyText(location.href, box)) ? "copied" : "selected: copy it with Ctrl C");
      },
    },
    "Copy",
  );
  const words = isPhoto ? LINK_KEEPS_PIXELS : LINK_KEEPS_ALL;
  openDialog("Link to this view", caption(words), box, make("div", { class: "row" }, copy, said));
  set(box, "value", location.href);
  box.select();
}

/**
 * The dialog of keys.
 * @type {() => void}
 */
export function showHelp() {
  const list = make(
    "dl",
    { class: "facts" },
    KEYS.flatMap(([where, keys]) => [make("dt", {}, where), make("dd", {}, keys)]),
  );
  openDialog("Keys", list, caption(ABOUT));
}
