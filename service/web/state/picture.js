// Pictures that are not drawn: files, the clipboard, a camera, and the lecture's test patterns.

/** @import { Levels } from "../numbers/types.d.ts" */
/** @import { FileChosen, Form } from "./types.d.ts" */

export const INK_SIDE = 112; // pixels of ink that are sent: four to each of the network's
export const NUMBER_SIDE = 224; // the same, where several digits are read

/**
 * Of ink, 0..255, at a place of a picture.
 * name: [label, ink of a place]
 * @type {Record<string, [label: string, ink: (x: number, y: number, side: number) => number]>}
 */
export const PATTERNS = {
  zeros: ["zeros (paper)", () => 0],
  ones: ["ones (ink)", () => 255],
  checkerboard: ["checkerboard", (x, y) => ((x + y) % 2) * 255],
  falling: ["edge along \\", (x, y) => (x > y ? 255 : 0)],
  rising: ["edge along /", (x, y, side) => (x + y < side - 1 ? 255 : 0)],
  rug: ["the rug", (x, y) => (((((y >> 2) % 2 ? x + y : x - y) % 4) + 4) % 4 < 2 ? 255 : 0)],
};

/**
 * Pictures to try a network of photos with. A place is told from -1 to 1 along each side.
 * name: [label, red, green and blue of a place]
 * @type {Record<string, [label: string, colour: (x: number, y: number) => [number, number, number]]>}
 */
export const SAMPLES = {
  disc: ["orange disc on blue", (x, y) => (Math.hypot(x, y) < 0.6 ? [244, 166, 40] : [24, 52, 124])],
  stripes: ["stripes", (x) => (Math.floor((x + 1) * 4) % 2 ? [240, 196, 60] : [34, 70, 50])],
  ramp: ["from black to white", (x) => /** @type {[number, number, number]} */ (Array(3).fill(Math.round((x + 1) * 127.5)))],
  wheel: ["all colours", (x, y) => hue(Math.atan2(y, x))],
};

/** @type {(angle: number) => [number, number, number]} */
function hue(angle) {
  const third = (2 * Math.PI) / 3;
  const [red, green, blue] = [0, third, 2 * third].map((of) => Math.round(127.5 * (1 + Math.cos(angle - of))));
  return [red, green, blue];
}

/**
 * How light a colour is, 0..255, by the weights of television (ITU-R BT.601), as Pillow has it.
 * @type {(colour: ArrayLike<number>) => number}
 */
export const lightOf = ({ 0: red, 1: green, 2: blue }) => Math.round(0.299 * red + 0.587 * green + 0.114 * blue);

/** Every picture that has a name. */
export const NAMED = [...Object.keys(PATTERNS), ...Object.keys(SAMPLES)];

/**
 * A named picture in the form that a network reads.
 * @type {(name: string, form: Form) => Levels}
 */
export function pattern(name, form) {
  const { width, height, channels, isInk } = form;
  const levels = new Uint8Array(width * height * channels);
  const side = Math.min(width, height);
  for (let i = 0; i < width * height; i += 1) {
    const [x, y] = [i % width, Math.floor(i / width)];
    const ink = PATTERNS[name]?.[1](x, y, side);
    const grey = ink === undefined ? 0 : isInk ? ink : 255 - ink;
    const [red, green, blue] = SAMPLES[name]?.[1]((2 * x + 1) / width - 1, (2 * y + 1) / height - 1) ?? [grey, grey, grey];
    const light = lightOf([red, green, blue]);
    levels.set(channels > 1 ? [red, green, blue] : [SAMPLES[name] && isInk ? 255 - light : light], i * channels);
  }
  return { ...form, levels };
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
 * The levels of the lossless PNG that the service returns: of each pixel one, or red, green and blue.
 * @type {(dataUrl: string, channels?: number) => Promise<Omit<Levels, "isInk">>}
 */
export async function decodeSeen(dataUrl, channels = 1) {
  const bytes = Uint8Array.from(atob(dataUrl.slice(dataUrl.indexOf(",") + 1)), (letter) => letter.charCodeAt(0));
  const image = await createImageBitmap(new Blob([bytes], { type: "image/png" }), {
    colorSpaceConversion: "none",
    premultiplyAlpha: "none",
  });
  const { width, height } = image;
  const canvas = seenCanvas(width, height);
  canvas.drawImage(image, 0, 0);
  const { data } = canvas.getImageData(0, 0, width, height);
  const levels = new Uint8Array(width * height * channels);
  for (let i = 0; i < levels.length; i += 1) levels[i] = data[4 * Math.floor(i / channels) + (i % channels)];
  return { levels, width, height, channels };
}

/** @type {CanvasRenderingContext2D | null} */
let seenContext = null;

/** @type {(width: number, height: number) => CanvasRenderingContext2D} */
function seenCanvas(width, height) {
  seenContext ??= context2d(document.createElement("canvas"), { willReadFrequently: true });
  const { canvas } = seenContext;
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  return seenContext;
}

/**
 * The context that a canvas is drawn with. There is one: no canvas here has a context of another kind.
 * @type {(canvas: HTMLCanvasElement, options?: CanvasRenderingContext2DSettings) => CanvasRenderingContext2D}
 */
export function context2d(canvas, options) {
  return /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", options));
}
