// Pictures that are not drawn: files, the clipboard, a camera, and the lecture's test patterns.

/** @import { FileChosen } from "./types.d.ts" */

export const SIDE = 28;
export const INK_SIDE = 112; // pixels of ink that are sent: four to each of the network's
export const NUMBER_SIDE = 224; // the same, where several digits are read

/**
 * name: [label, ink of a place 0..255]
 * @type {Record<string, [label: string, ink: (x: number, y: number) => number]>}
 */
export const PATTERNS = {
  zeros: ["zeros (paper)", () => 0],
  ones: ["ones (ink)", () => 255],
  checkerboard: ["checkerboard", (x, y) => ((x + y) % 2) * 255],
  falling: ["edge along \\", (x, y) => (x > y ? 255 : 0)],
  rising: ["edge along /", (x, y) => (x + y < SIDE - 1 ? 255 : 0)],
  rug: ["the rug", (x, y) => (((((y >> 2) % 2 ? x + y : x - y) % 4) + 4) % 4 < 2 ? 255 : 0)],
};

/**
 * The 28 x 28 levels of a test pattern, 255 = ink.
 * @type {(name: string) => Uint8Array}
 */
export function pattern(name) {
  const ink = PATTERNS[name][1];
  return Uint8Array.from({ length: SIDE * SIDE }, (_, i) => ink(i % SIDE, Math.floor(i / SIDE)));
}

// First bytes of the kinds that the service reads, as letters.
const KINDS = [/^\x89PNG/, /^\xff\xd8\xff/, /^GIF8/, /^BM/, /^RIFF....WEBP/s];
const MOST_PIXELS = 4_000_000; // beyond, a picture is made smaller here
const MOST_BYTES = 8_000_000;
const SMALLER = 1600; // the longer side of one that is

/**
 * Read a file as a picture to post: its own bytes, and an image to show. A large one, or one of a kind that only the
 * browser reads, is drawn again, smaller. Null where it is no picture.
 * @type {(file: File) => Promise<FileChosen | null>}
 */
export async function fromFile(file) {
  const image = await createImageBitmap(file).catch(() => null);
  if (!image) return null;
  const start = String.fromCharCode(...new Uint8Array(await file.slice(0, 12).arrayBuffer()));
  const isPlain =
    KINDS.some((kind) => kind.test(start)) && image.width * image.height <= MOST_PIXELS && file.size <= MOST_BYTES;
  const name = file.name || "pasted picture";
  if (isPlain) return { kind: "file", name, bytes: await file.arrayBuffer(), image };
  const smaller = await drawnAgain(image);
  return { kind: "file", name: `${name.replace(/\.\w+$/, "")}.png`, bytes: await smaller.arrayBuffer(), image: await createImageBitmap(smaller) };
}

/** @type {(image: ImageBitmap) => Promise<Blob>} */
function drawnAgain(image) {
  const scale = Math.min(1, SMALLER / Math.max(image.width, image.height));
  const canvas = new OffscreenCanvas(Math.round(image.width * scale), Math.round(image.height * scale));
  canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
  return canvas.convertToBlob({ type: "image/png" });
}

/**
 * The first picture of a drop or a paste, or null.
 * @type {(transfer: DataTransfer | null) => File | null}
 */
export function pictureIn(transfer) {
  const files = [...(transfer?.files || [])];
  return files.find((file) => file.type.startsWith("image/")) || files[0] || null;
}

/**
 * The grey levels (28 x 28, 255 = ink) of the lossless PNG that the service returns.
 * @type {(dataUrl: string) => Promise<Uint8Array>}
 */
export async function decodeSeen(dataUrl) {
  const bytes = Uint8Array.from(atob(dataUrl.slice(dataUrl.indexOf(",") + 1)), (letter) => letter.charCodeAt(0));
  const image = await createImageBitmap(new Blob([bytes], { type: "image/png" }), {
    colorSpaceConversion: "none",
    premultiplyAlpha: "none",
  });
  const canvas = seenCanvas();
  canvas.drawImage(image, 0, 0);
  const { data } = canvas.getImageData(0, 0, SIDE, SIDE);
  return Uint8Array.from({ length: SIDE * SIDE }, (_, i) => data[4 * i]);
}

/** @type {CanvasRenderingContext2D | null} */
let seenContext = null;

/** @type {() => CanvasRenderingContext2D} */
function seenCanvas() {
  if (seenContext) return seenContext;
  const canvas = document.createElement("canvas");
  canvas.width = SIDE;
  canvas.height = SIDE;
  seenContext = context2d(canvas, { willReadFrequently: true });
  return seenContext;
}

/**
 * The context that a canvas is drawn with. There is one: no canvas here has a context of another kind.
 * @type {(canvas: HTMLCanvasElement, options?: CanvasRenderingContext2DSettings) => CanvasRenderingContext2D}
 */
export function context2d(canvas, options) {
  return /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", options));
}
