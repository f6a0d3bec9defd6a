// A request as text that a person can run: curl, Python, JavaScript. Nothing is sent here.

import { address } from "./api.js";
import { base64, shortPngUrl } from "../numbers/npy.js";

/** @import { Members, Plain, Request } from "./types.d.ts" */

const INLINE_BYTES = 8192;
const KEY = "FILTERSCOPE_KEY";

/**
 * The request as one JSON body (or none), with its picture inside: {method, url, body, file}.
 * @type {(record: Request, origin: string) => Promise<Plain>}
 */
export async function plain(record, origin) {
  const { method = "GET", path, query, json, picture } = record;
  if (!picture) return { method, url: origin + address(record), body: json || null, file: null };
  if (picture.bytes && picture.bytes.byteLength > INLINE_BYTES) {
    return { method, url: origin + address(record), body: null, file: picture.name || "picture.jpg" };
  }
  const image = picture.bytes
    ? base64(new Uint8Array(picture.bytes))
    : await shortPngUrl(picture.levels, picture.width, picture.height);
  return { method, url: origin + path, body: { image, ...typed(query), ...json }, file: null };
}

// A query has texts; in JSON, a list is a list.
/** @type {(query?: Members) => Members} */
function typed(query = {}) {
  return Object.fromEntries(
    Object.entries(query)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [name, name === "layers" ? String(value).split(",") : value]),
  );
}

/** @type {(text: string) => string} */
const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** @type {(request: Plain, hasKey: boolean) => string} */
export function curl({ method, url, body, file }, hasKey) {
  const lines = [`curl -sS ${quote(url)}`];
  if (method !== "GET" && method !== "POST") lines.push(`-X ${method}`);
  if (hasKey) lines.push(`-H "Authorization: Bearer $${KEY}"`);
  if (body) lines.push("-H 'Content-Type: application/json'", `-d ${quote(JSON.stringify(body))}`);
  if (file) lines.push(`--data-binary @${quote(file)}`);
  if (/npz|png/.test(body?.format || url.split("format=")[1] || ""))
    lines.push(`-o answer.${/png/.test(body?.format || url) ? "png" : "npz"}`);
  return lines.join(" \\\n  ");
}

/** @type {(request: Plain, hasKey: boolean) => string} */
export function python({ url, body, file }, hasKey) {
  const lines = ["import json", hasKey ? "import os" : null, "import urllib.request", ""].filter(
    (line) => line !== null,
  );
  if (body) lines.push(`body = json.dumps(${literal(body)}).encode()`);
  if (file) lines.push(`body = open(${JSON.stringify(file)}, "rb").read()`);
  const headers = [
    body ? '"Content-Type": "application/json"' : null,
    file ? '"Content-Type": "application/octet-stream"' : null,
    hasKey ? `"Authorization": "Bearer " + os.environ["${KEY}"]` : null,
  ]
    .filter(Boolean)
    .join(", ");
  lines.push(
    `request = urllib.request.Request(${JSON.stringify(url)}${body || file ? ", body" : ""}${headers ? `, {${headers}}` : ""})`,
  );
  lines.push("with urllib.request.urlopen(request) as response:");
  lines.push(/npz|png/.test(body?.format || "") ? "    answer = response.read()" : "    answer = json.load(response)");
  lines.push(
    /npz|png/.test(body?.format || "")
      ? `open("answer.${body?.format}", "wb").write(answer)`
      : "print(json.dumps(answer))",
  );
  return lines.join("\n");
}

// JSON is Python, but for null, true and false. What is undefined is in neither.
/** @type {(value: unknown) => string} */
function literal(value) {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (typeof value === "object")
    return `{${Object.entries(value)
      .filter(([, each]) => each !== undefined)
      .map(([name, each]) => `${JSON.stringify(name)}: ${literal(each)}`)
      .join(", ")}}`;
  return JSON.stringify(value);
}

/** @type {(request: Plain, hasKey: boolean) => string} */
export function javascript({ method, url, body, file }, hasKey) {
  const headers = {};
  if (body) headers["Content-Type"] = "application/json";
  const lines = [];
  if (hasKey) lines.push(`const key = process.env.${KEY};`);
  if (file) lines.push(`// file: ${file}, from an <input type="file">`);
  const entries = Object.entries(headers).map(([name, value]) => `${JSON.stringify(name)}: ${JSON.stringify(value)}`);
  if (hasKey) entries.push('"Authorization": `Bearer ${key}`');
  lines.push(`const response = await fetch(${JSON.stringify(url)}, {`, `  method: "${method}",`);
  if (entries.length) lines.push(`  headers: {${entries.join(", ")}},`);
  if (body) lines.push(`  body: JSON.stringify(${JSON.stringify(body)}),`);
  if (file) lines.push("  body: file,");
  lines.push("});");
  lines.push(
    /npz|png/.test(body?.format || "")
      ? "const answer = await response.arrayBuffer();"
      : "const answer = await response.json();",
    "console.log(answer);",
  );
  return lines.join("\n");
}

/** @type {Record<string, (request: Plain, hasKey: boolean) => string>} */
export const LANGUAGES = { curl, Python: python, JavaScript: javascript };
