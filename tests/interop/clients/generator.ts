// openapi-generator's typescript-fetch: it takes the first form of body, so files, and structures as JSON text.
import { readFile } from "node:fs/promises";
import { Configuration, DigitsApi, FiltersApi, Format } from "./made/index.js";

const [address, file] = process.argv.slice(2) as [string, string];
const settings = new Configuration({ basePath: `http://${address}` });
const digits = new DigitsApi(settings);
const filters = new FiltersApi(settings);
const image = [new Blob([new Uint8Array(await readFile(file))], { type: "image/png" })];

const read = await digits.classify({ image, preparedImage: true });
console.log("classify", read.results[0]?.digit);

const maps = await digits.computeFeatureMaps({ image, layers: ["conv1"], filters: [0, 5] });
console.log("feature-maps", maps.results[0]?.layers[0]?.filters.length);

const npz = await digits.computeFeatureMapsRaw({ image, layers: ["conv1", "pool1"], format: Format.Npz });
console.log("npz", new Uint8Array(await npz.raw.arrayBuffer())[0]);

const bank = JSON.stringify([{ preset: "sobel" }, { weights: [[1, -1]] }]);
const applied = await filters.applyFilters({ image, filters: bank, stride: [2, 2], padding: "same" });
console.log("apply-filters", applied.results[0]?.filters.length);

const why = (await digits.explain({ image, method: "ledger" })).results[0];
if (why?.method === "ledger") console.log("explain", why.shares.filters.length);

const changes = JSON.stringify([{ layer: "conv1", filter: 3, action: "off" }]);
const edited = await digits.compareWhatIf({ image, changes });
console.log("what-if", edited.results[0]?.before.digit);
