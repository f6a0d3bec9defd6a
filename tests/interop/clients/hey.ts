// @hey-api/openapi-ts: a function for each call.
import { readFile } from "node:fs/promises";
import { applyFilters, classify, compareWhatIf, computeFeatureMaps, explain } from "./hey/sdk.gen.js";
import { client } from "./hey/client.gen.js";

const [address, file] = process.argv.slice(2) as [string, string];
client.setConfig({ baseUrl: `http://${address}`, throwOnError: true });
const bytes = await readFile(file);
const image = bytes.toString("base64");

function whole<T>(answer: { data?: T }): Exclude<T, Blob | File | undefined> {
  return answer.data as Exclude<T, Blob | File | undefined>;
}

// Its functions post JSON; a file goes in as base64.
const read = whole(await classify({ body: { image, prepared_image: true }, throwOnError: true }));
console.log("classify", read.results[0]?.digit);

const maps = whole(
  await computeFeatureMaps({ body: { image, layers: ["conv1"], filters: [0, 5] }, throwOnError: true }),
);
console.log("feature-maps", maps.results[0]?.layers[0]?.filters.length);

const npz = await computeFeatureMaps({
  body: { image },
  query: { format: "npz", layers: ["conv1", "pool1"] },
  parseAs: "arrayBuffer",
  throwOnError: true,
});
console.log("npz", new Uint8Array(npz.data as unknown as ArrayBuffer)[0]);

const applied = whole(
  await applyFilters({
    body: { image, filters: [{ preset: "sobel" }, { weights: [[1, -1]] }], stride: [2, 2], padding: "same" },
    throwOnError: true,
  }),
);
console.log("apply-filters", applied.results[0]?.filters.length);

const why = whole(await explain({ body: { image, method: "ledger" }, throwOnError: true })).results[0];
if (why?.method === "ledger") console.log("explain", why.shares.filters.length);

const edited = whole(
  await compareWhatIf({
    body: { image, changes: [{ layer: "conv1", filter: 3, action: "off" }] },
    throwOnError: true,
  }),
);
console.log("what-if", edited.results[0]?.before.digit);
