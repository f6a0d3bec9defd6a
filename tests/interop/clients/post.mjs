// Node's fetch with its defaults: a line of JSON for each way in which a page or a script may post a picture.
import { readFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";

const [address, file] = process.argv.slice(2);
const bytes = await readFile(file);
const base64 = bytes.toString("base64");
const url = `data:image/png;base64,${base64}`;
const json = (value) => new Blob([JSON.stringify(value)], { type: "application/json" });

async function post(name, path, body, headers) {
  const answer = await fetch(`http://${address}${path}`, { method: "POST", body, headers });
  console.log(JSON.stringify([name, answer.status, await answer.json()]));
}

function form(...parts) {
  const data = new FormData();
  for (const part of parts) data.append(...part);
  return data;
}

const blob = new Blob([bytes], { type: "image/png" });
await post("bytes", "/v1/classify", bytes);
await post("a Blob", "/v1/classify", blob);
await post("a Blob of no type", "/v1/classify", new Blob([bytes]));
await post("JSON.stringify", "/v1/classify", JSON.stringify({ image: url }));
await post("a data: URL", "/v1/classify", url);
await post("base64", "/v1/classify", base64);
await post("URLSearchParams", "/v1/classify", new URLSearchParams({ image: url, prepare: "auto" }));
await post("FormData", "/v1/classify", form(["image", blob, "größe 数字.png"]));
await post("FormData of text", "/v1/classify", form(["image", url]));
await post("gzip", "/v1/classify", gzipSync(bytes), { "Content-Encoding": "gzip" });
await post("a text that was not awaited", "/v1/classify", form(["image", String(blob)]));
const edit = { layer: "conv1", filter: 0, action: "off" };
await post("a structure as a Blob", "/v1/what-if", form(["image", blob], ["changes", json([edit])]));
await post("a list part by part", "/v1/feature-maps", form(["image", blob], ["layers[]", "conv1"], ["layers[]", "pool1"]));
