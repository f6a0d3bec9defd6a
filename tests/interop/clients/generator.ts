// openapi-generator's typescript-fetch: it takes the first form of body, so files, and structures as JSON text.
import { readdir, readFile, writeFile } from "node:fs/promises";
import { Configuration, DigitsApi, FiltersApi, Format } from "./made/index.js";

const [address, folder, results] = process.argv.slice(2) as [string, string, string];
const settings = new Configuration({ basePath: `http://${address}` });
const digits = new DigitsApi(settings);
const filters = new FiltersApi(settings);
const files = (await readdir(folder)).sort().map((name) => `${folder}/${name}`);

async function picture(file: string) {
  return [new Blob([new Uint8Array(await readFile(file))], { type: "image/png" })];
}

for (const file of files) {
  const read = await digits.classify({ image: await picture(file), preparedImage: true });
  console.log("classify", read.results[0]?.digit);
}
const image = await picture(files[0]!);

const maps = await digits.computeFeatureMaps({ image, layers: ["conv1"], filters: [0, 5] });
console.log("feature-maps", maps.results[0]?.layers[0]?.filters.length);

// An answer that is no JSON is read from the response.
async function drawn(format: Format) {
  const answer = await digits.computeFeatureMapsRaw({ image, layers: ["conv1", "pool1"], format });
  return new Uint8Array(await answer.raw.arrayBuffer());
}
console.log("npz", (await drawn(Format.Npz))[0]);
await writeFile(`${results}/maps.png`, await drawn(Format.Png));

const bank = JSON.stringify([{ preset: "sobel" }, { weights: [[1, -1]] }]);
const applied = await filters.applyFilters({ image, filters: bank, stride: [2, 2], padding: "same" });
const rows = applied.results[0]?.filters[1]?.response as number[][];
console.log("apply-filters", applied.results[0]?.filters.length, rows.length);

const saved = await filters.applyFiltersRaw({ image, filters: bank, format: Format.Npz });
await writeFile(`${results}/bank.npz`, new Uint8Array(await saved.raw.arrayBuffer()));

const why = (await digits.explain({ image, method: "ledger" })).results[0];
if (why?.method === "ledger") console.log("explain", why.shares.filters.length);

const changes = JSON.stringify([{ layer: "conv1", filter: 3, action: "off" }]);
const edited = await digits.compareWhatIf({ image, changes });
console.log("what-if", edited.results[0]?.before.digit);
