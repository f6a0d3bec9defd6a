// openapi-typescript with openapi-fetch: every answer typed, a file posted, arrays as npz.
import { readdir, readFile, writeFile } from "node:fs/promises";
import createClient from "openapi-fetch";
import type { paths } from "./schema.js";

const [address, folder, results] = process.argv.slice(2) as [string, string, string];
const client = createClient<paths>({ baseUrl: `http://${address}` });
const files = (await readdir(folder)).sort().map((name) => `${folder}/${name}`);

function whole<T>(answer: { data?: T; error?: unknown }): Exclude<T, string> {
  if (answer.data === undefined || typeof answer.data === "string") throw new Error(JSON.stringify(answer.error));
  return answer.data as Exclude<T, string>;
}

for (const file of files) {
  const form = new FormData();
  form.append("image", new Blob([new Uint8Array(await readFile(file))], { type: "image/png" }), file);
  const read = whole(
    await client.POST("/v1/classify", {
      params: { query: { prepared_image: true } },
      body: { image: [] },
      bodySerializer: () => form,
    }),
  );
  console.log("classify", read.results[0]?.digit);
}
const image = (await readFile(files[0]!)).toString("base64");

const maps = whole(await client.POST("/v1/feature-maps", { body: { image, layers: ["conv1"], filters: [0, 5] } }));
console.log("feature-maps", maps.results[0]?.layers[0]?.filters.length);

// It types bytes as text.
function bytes(data: unknown) {
  if (!(data instanceof ArrayBuffer)) throw new Error("no bytes");
  return new Uint8Array(data);
}

async function drawn(format: "png" | "npz") {
  const answer = await client.POST("/v1/feature-maps", {
    params: { query: { format, layers: ["conv1", "pool1"] } },
    body: { image },
    parseAs: "arrayBuffer",
  });
  return bytes(answer.data);
}
console.log("npz", (await drawn("npz"))[0]);
await writeFile(`${results}/maps.png`, await drawn("png"));

const filters = [{ preset: "sobel" }, { weights: [[1, -1]] }];
const applied = whole(
  await client.POST("/v1/apply-filters", { body: { image, filters, stride: [2, 2], padding: "same" } }),
);
console.log("apply-filters", applied.results[0]?.filters.length, applied.results[0]?.filters[1]?.response.length);

const bank = await client.POST("/v1/apply-filters", { body: { image, filters, format: "npz" }, parseAs: "arrayBuffer" });
await writeFile(`${results}/bank.npz`, bytes(bank.data));

const why = whole(await client.POST("/v1/explain", { body: { image, method: "ledger" } })).results[0];
if (why?.method === "ledger") console.log("explain", why.shares.filters.length);

const edited = whole(
  await client.POST("/v1/what-if", { body: { image, changes: [{ layer: "conv1", filter: 3, action: "off" }] } }),
);
console.log("what-if", edited.results[0]?.before.digit);
