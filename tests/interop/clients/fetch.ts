// openapi-typescript with openapi-fetch: every answer typed, a file posted, arrays as npz.
import { readFile } from "node:fs/promises";
import createClient from "openapi-fetch";
import type { paths } from "./schema.js";

const [address, file] = process.argv.slice(2) as [string, string];
const client = createClient<paths>({ baseUrl: `http://${address}` });
const bytes = await readFile(file);
const image = bytes.toString("base64");

function whole<T>(answer: { data?: T; error?: unknown }): Exclude<T, string> {
  if (answer.data === undefined || typeof answer.data === "string") throw new Error(JSON.stringify(answer.error));
  return answer.data as Exclude<T, string>;
}

const form = new FormData();
form.append("image", new Blob([new Uint8Array(bytes)], { type: "image/png" }), "3.png");
const read = whole(
  await client.POST("/v1/classify", {
    params: { query: { prepared_image: true } },
    body: { image: [] },
    bodySerializer: () => form,
  }),
);
console.log("classify", read.results[0]?.digit);

const maps = whole(await client.POST("/v1/feature-maps", { body: { image, layers: ["conv1"], filters: [0, 5] } }));
console.log("feature-maps", maps.results[0]?.layers[0]?.filters.length);

const npz = await client.POST("/v1/feature-maps", {
  params: { query: { format: "npz", layers: ["conv1", "pool1"] } },
  body: { image },
  parseAs: "arrayBuffer",
});
console.log("npz", npz.data instanceof ArrayBuffer && new Uint8Array(npz.data)[0]);

const applied = whole(
  await client.POST("/v1/apply-filters", {
    body: { image, filters: [{ preset: "sobel" }, { weights: [[1, -1]] }], stride: [2, 2], padding: "same" },
  }),
);
console.log("apply-filters", applied.results[0]?.filters.length);

const why = whole(await client.POST("/v1/explain", { body: { image, method: "ledger" } })).results[0];
if (why?.method === "ledger") console.log("explain", why.shares.filters.length);

const edited = whole(
  await client.POST("/v1/what-if", { body: { image, changes: [{ layer: "conv1", filter: 3, action: "off" }] } }),
);
console.log("what-if", edited.results[0]?.before.digit);
