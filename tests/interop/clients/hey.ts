// @hey-api/openapi-ts: a function for each call.
import { readdir, readFile, writeFile } from "node:fs/promises";
import { applyFilters, classify, compareWhatIf, computeFeatureMaps, explain } from "./hey/sdk.gen.js";
import { client } from "./hey/client.gen.js";
import type { ClassifyData } from "./hey/types.gen.js";

const [address, folder, results] = process.argv.slice(2) as [string, string, string];
client.setConfig({ baseUrl: `http://${address}`, throwOnError: true });
const files = (await readdir(folder)).sort().map((name) => `${folder}/${name}`);

function whole<T>(answer: { data?: T }): Exclude<T, Blob | File | undefined> {
  return answer.data as Exclude<T, Blob | File | undefined>;
}

// Where a call knows JSON its functions post that and nothing else, so a file goes in as base64. When they take files,
// the next line is no error any more, and the compiler says so.
// @ts-expect-error
({ image: [new Blob()] }) satisfies ClassifyData["body"];
for (const file of files) {
  const base64 = (await readFile(file)).toString("base64");
  const read = whole(await classify({ body: { image: base64, prepared_image: true }, throwOnError: true }));
  console.log("classify", read.results[0]?.digit);
}
const image = (await readFile(files[0]!)).toString("base64");

const maps = whole(
  await computeFeatureMaps({ body: { image, layers: ["conv1"], filters: [0, 5] }, throwOnError: true }),
);
console.log("feature-maps", maps.results[0]?.layers[0]?.filters.length);

async function drawn(format: "png" | "npz") {
  const query = { format, layers: ["conv1", "pool1"] };
  const answer = await computeFeatureMaps({ body: { image }, query, parseAs: "blob", throwOnError: true });
  return new Uint8Array(await (answer.data as unknown as Blob).arrayBuffer());
}
console.log("npz", (await drawn("npz"))[0]);
await writeFile(`${results}/maps.png`, await drawn("png"));

const filters = [{ preset: "sobel" }, { weights: [[1, -1]] }];
const applied = whole(
  await applyFilters({ body: { image, filters, stride: [2, 2], padding: "same" }, throwOnError: true }),
);
console.log("apply-filters", applied.results[0]?.filters.length, applied.results[0]?.filters[1]?.response.length);

const bank = await applyFilters({ body: { image, filters, format: "npz" }, parseAs: "blob", throwOnError: true });
await writeFile(`${results}/bank.npz`, new Uint8Array(await (bank.data as unknown as Blob).arrayBuffer()));

const why = whole(await explain({ body: { image, method: "ledger" }, throwOnError: true })).results[0];
if (why?.method === "ledger") console.log("explain", why.shares.filters.length);

const edited = whole(
  await compareWhatIf({
    body: { image, changes: [{ layer: "conv1", filter: 3, action: "off" }] },
    throwOnError: true,
  }),
);
console.log("what-if", edited.results[0]?.before.digit);
