// orval's fetch: a client that posts and reads JSON, and one that posts files and reads bytes.
import { readdir, readFile, writeFile } from "node:fs/promises";
import * as files from "./made/files.js";
import * as json from "./made/json.js";

const [address, folder, results] = process.argv.slice(2) as [string, string, string];
const names = (await readdir(folder)).sort().map((name) => `${folder}/${name}`);

// The addresses that it makes are paths, as for a page of this service.
const onPage = globalThis.fetch;
globalThis.fetch = (path, init) => onPage(`http://${address}${path}`, init);

async function picture(name: string) {
  return [new Blob([new Uint8Array(await readFile(name))], { type: "image/png" })];
}

function whole<T extends { status: number; data: unknown }>(answer: T) {
  if (answer.status !== 200) throw new Error(JSON.stringify(answer.data));
  return answer.data as Extract<T, { status: 200 }>["data"];
}

async function bytes(answer: Blob) {
  return new Uint8Array(await answer.arrayBuffer());
}

for (const name of names) {
  const read = whole(await files.classify({ image: await picture(name) }, { prepared_image: true }));
  const { results: verdicts } = JSON.parse(await read.text()) as json.Classifications;
  console.log("classify", verdicts[0]?.digit);
}
const image = (await readFile(names[0]!)).toString("base64");

const maps = whole(await json.computeFeatureMaps({ image, layers: ["conv1"], filters: [0, 5] }));
console.log("feature-maps", maps.results[0]?.layers[0]?.filters.length);

async function drawn(format: files.Format) {
  const query = { format, layers: ["conv1", "pool1"] };
  return bytes(whole(await files.computeFeatureMaps({ image: await picture(names[0]!) }, query)));
}
console.log("npz", (await drawn("npz"))[0]);
await writeFile(`${results}/maps.png`, await drawn("png"));

const bank = [{ preset: "sobel" }, { weights: [[1, -1]] }];
const applied = whole(await json.applyFilters({ image, filters: bank, stride: [2, 2], padding: "same" }));
console.log("apply-filters", applied.results[0]?.filters.length, applied.results[0]?.filters[1]?.response.length);

const form = { image: await picture(names[0]!), filters: JSON.stringify(bank) };
await writeFile(`${results}/bank.npz`, await bytes(whole(await files.applyFilters(form, { format: "npz" }))));

const why = whole(await json.explain({ image, method: "ledger" })).results[0];
if (why?.method === "ledger") console.log("explain", why.shares.filters.length);

const edited = whole(
  await json.compareWhatIf({ image, changes: [{ layer: "conv1", filter: 3, action: "off" }] }),
);
console.log("what-if", edited.results[0]?.before.digit);
