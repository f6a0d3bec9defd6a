// What leaves the page: the request of a panel as code, its answer as a file, the link to this view. And the help.

import { Refusal, send } from "../state/api.js";
import { make, openDialog, set, write } from "./dom.js";
import { LANGUAGES, plain } from "../state/snippets.js";
import { singleKeys } from "../state/state.js";
import { ABOUT, KEYS, LINK_KEEPS_ALL, LINK_KEEPS_NO_PICTURE, linkIsLong, linkKeepsPixels, refusal, SINGLE } from "./words.js";
import { isKept } from "../state/address.js";

/** @import { Card, Chosen, Input, Network, Request } from "../state/types.d.ts" */
/** @import { Take } from "./types.d.ts" */

/**
 * Fill the menu of what can be taken away: the code of each request that was really sent, and its answer as a file.
 * @type {(menu: HTMLElement, takes: Take[]) => void}
 */
export function fillMenu(menu, takes) {
  menu.replaceChildren(...takes.map(group));
}

/** @type {(take: Take) => HTMLElement} */
function group({ name, record, formats }) {
  const said = make("span", { class: "muted", role: "status" }, "");
  /** @type {(act: (asked: Request) => void) => () => void} */
  const withRecord = (act) => () => {
    const asked = record();
    if (asked) act(asked);
    else write(said, "nothing was asked yet");
  };
  const copies = Object.keys(LANGUAGES).map((language) => {
    const act = withRecord((asked) => showCode(name, asked, language));
    return make("button", { "aria-label": `${language} of ${name}`, onclick: act }, language);
  });
  const files = formats.map((format) => {
    const act = withRecord((asked) => download(name, asked, format, said));
    return make("button", { "aria-label": `Download ${name} as ${format}`, onclick: act }, format);
  });
  return make("div", { class: "row", role: "group", "aria-label": name }, make("h3", {}, name), copies, files, said);
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
function save(blob, filename) {
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
async function copyText(text, element) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    getSelection()?.selectAllChildren(element);
    return false;
  }
}

const LONG_LINK = 2000; // letters: what mails, chats and old browsers are known to pass on whole

/**
 * The link dialog: the address as it is, to copy. base: what the network saw of the picture
 * @type {(picture: Chosen, base: Input | null) => void}
 */
export function shareLink(picture, base) {
  const box = make("input", { type: "text", readonly: true, value: location.href, "aria-label": "Link to this view" });
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
  const levels = picture.kind === "file" ? base : picture.kind === "levels" ? picture : null;
  const isPhoto = picture.kind === "file" && base;
  const words = levels && !isKept(levels) ? LINK_KEEPS_NO_PICTURE : isPhoto ? linkKeepsPixels(base) : LINK_KEEPS_ALL;
  const length = make("p", {}, linkIsLong(location.href.length));
  set(length, "hidden", location.href.length <= LONG_LINK);
  openDialog("Link to this view", make("p", {}, words), length, make("p", { class: "wide" }, box), make("div", { class: "row" }, copy, said));
  set(box, "value", location.href);
  box.select();
}

/**
 * The dialog of keys, with the card of the network where it has one.
 * @type {(network: Network | null) => void}
 */
export function showHelp(network) {
  const list = make(
    "dl",
    { class: "facts" },
    KEYS.flatMap(([where, keys]) => [make("dt", {}, where), make("dd", {}, keys)]),
  );
  const box = make("input", { type: "checkbox", onchange: () => singleKeys.set(box.checked) });
  box.checked = singleKeys.areOn();
  const card = network?.card ? cardOf(network.name, network.card) : [];
  openDialog("Keys", list, make("p", {}, make("label", {}, box, " ", SINGLE)), make("p", {}, ABOUT), ...card);
}

/**
 * What a network is for, how well it reads, and where it fails.
 * @type {(name: string, card: Card) => HTMLElement[]}
 */
function cardOf(name, { purpose, data, figures, confuses, failures, chosen }) {
  /** @type {(each: { name: string, value: number, error: number }) => [string, string]} */
  const share = ({ name: what, value, error }) => [
    what,
    `${(value * 100).toFixed(2)} ± ${(error * 100).toFixed(2)} %`,
  ];
  const pairs = confuses.map(({ digit, read_as, count, of }) => `${digit} as ${read_as} (${count} of ${of})`);
  /** @type {[string, string][]} */
  const facts = [
    ...figures.map(share),
    ["confuses most", pairs.join(", ") || "nothing"],
    ...failures.map(share).map(([what, right]) => /** @type {[string, string]} */ ([`${what}, read right`, right])),
    ["learnt from", data],
    ["chosen", chosen],
  ];
  return [
    make("h3", {}, `The network ${name}`),
    make("p", {}, purpose),
    make(
      "dl",
      { class: "facts" },
      facts.flatMap(([what, words]) => [make("dt", {}, what), make("dd", {}, words)]),
    ),
  ];
}
