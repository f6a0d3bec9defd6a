// Numbers as bytes: npy out, npz in, and a grey PNG for pictures inside JSON.

/** @import { Tensor } from "./types.d.ts" */

const NPY_MAGIC = "\x93NUMPY\x01\x00";
/** @type {Record<string, new (buffer: ArrayBuffer) => Tensor["data"] | BigInt64Array>} */
const READERS = {
  "<f4": Float32Array,
  "<f8": Float64Array,
  "|u1": Uint8Array,
  "<i4": Int32Array,
  "<i8": BigInt64Array,
};

/**
 * Write a uint8 array of any shape as npy, version 1.0.
 * @type {(levels: Uint8Array, shape: number[]) => Uint8Array<ArrayBuffer>}
 */
export function writeNpy(levels, shape) {
  let header = `{'descr': '|u1', 'fortran_order': False, 'shape': (${shape.join(", ")},), }`;
  header += " ".repeat(63 - ((NPY_MAGIC.length + 2 + header.length) % 64)) + "\n";
  const bytes = new Uint8Array(10 + header.length + levels.length);
  bytes.set(latin(NPY_MAGIC + String.fromCharCode(header.length & 255, header.length >> 8) + header));
  bytes.set(levels, 10 + header.length);
  return bytes;
}

/**
 * Read one npy: {shape, data}.
 * @type {(bytes: Uint8Array<ArrayBuffer>) => Tensor}
 */
export function readNpy(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = bytes[6] === 1 ? 10 : 12;
  const length = bytes[6] === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  const header = String.fromCharCode(...bytes.subarray(start, start + length));
  const kind = /'descr': '([^']+)'/.exec(header)?.[1] ?? "";
  const shape = (/'shape': \(([^)]*)\)/.exec(header)?.[1].match(/\d+/g) || []).map(Number);
  const Reader = READERS[kind];
  if (!Reader || header.includes("True")) throw new TypeError(`an npy of ${kind} is not read here`);
  // Copied, because a typed array must start at a multiple of its own item size.
  const data = new Reader(bytes.slice(start + length).buffer);
  return { shape, data: data instanceof BigInt64Array ? Float64Array.from(data, Number) : data };
}

/**
 * Read an npz whose members are stored, as the service writes them: {name: {shape, data}}.
 * @type {(buffer: ArrayBuffer) => Record<string, Tensor>}
 */
export function readNpz(buffer) {
  const bytes = new Uint8Array(buffer);
  const view = new DataView(buffer);
  let end = bytes.length - 22;
  while (view.getUint32(end, true) !== 0x06054b50) end -= 1;
  /** @type {Record<string, Tensor>} */
  const arrays = {};
  let entry = view.getUint32(end + 16, true);
  for (let left = view.getUint16(end + 10, true); left > 0; left -= 1) {
    const nameLength = view.getUint16(entry + 28, true);
    const name = new TextDecoder().decode(bytes.subarray(entry + 46, entry + 46 + nameLength));
    const local = view.getUint32(entry + 42, true);
    const start = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
    arrays[name.replace(/\.npy$/, "")] = readNpy(bytes.subarray(start, start + view.getUint32(entry + 20, true)));
    entry += 46 + nameLength + view.getUint16(entry + 30, true) + view.getUint16(entry + 32, true);
  }
  return arrays;
}

/**
 * A lossless PNG, grey or of colour, as a data: URL; stored rather than deflated, so that it is made at once.
 * @type {(levels: Uint8Array, width: number, height: number) => string}
 */
export function pngUrl(levels, width, height) {
  return `data:image/png;base64,${base64(png(width, height, storedZlib(scanLines(levels, height)), isRgb(levels, width, height)))}`;
}

/**
 * The same, deflated where the browser can: for text that a person will read.
 * @type {(levels: Uint8Array, width: number, height: number) => Promise<string>}
 */
export async function shortPngUrl(levels, width, height) {
  if (typeof CompressionStream === "undefined") return pngUrl(levels, width, height);
  const stream = new Blob([scanLines(levels, height)]).stream().pipeThrough(new CompressionStream("deflate"));
  const data = new Uint8Array(await new Response(stream).arrayBuffer());
  return `data:image/png;base64,${base64(png(width, height, data, isRgb(levels, width, height)))}`;
}

/** @type {(levels: Uint8Array, width: number, height: number) => boolean} */
const isRgb = (levels, width, height) => levels.length > width * height;

/** @type {(width: number, height: number, data: Uint8Array, isColour: boolean) => Uint8Array<ArrayBuffer>} */
function png(width, height, data, isColour) {
  const head = new Uint8Array(13);
  new DataView(head.buffer).setUint32(0, width);
  new DataView(head.buffer).setUint32(4, height);
  head[8] = 8;
  head[9] = isColour ? 2 : 0;
  const parts = [
    latin("\x89PNG\r\n\x1a\n"),
    chunk("IHDR", head),
    chunk("IDAT", data),
    chunk("IEND", new Uint8Array(0)),
  ];
  return joined(parts);
}

/** @type {(levels: Uint8Array, height: number) => Uint8Array<ArrayBuffer>} */
function scanLines(levels, height) {
  const width = levels.length / height; // in bytes
  const lines = new Uint8Array(height * (width + 1));
  for (let y = 0; y < height; y += 1) lines.set(levels.subarray(y * width, (y + 1) * width), y * (width + 1) + 1);
  return lines;
}

/** @type {(data: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>} */
function storedZlib(data) {
  const parts = [new Uint8Array([0x78, 0x01])];
  for (let start = 0; start < data.length; start += 65535) {
    const block = data.subarray(start, start + 65535);
    const size = block.length;
    const isLast = start + size >= data.length ? 1 : 0;
    parts.push(new Uint8Array([isLast, size & 255, size >> 8, ~size & 255, (~size >> 8) & 255]), block);
  }
  let low = 1;
  let high = 0;
  for (const byte of data) {
    low = (low + byte) % 65521;
    high = (high + low) % 65521;
  }
  parts.push(bigEndian(((high << 16) | low) >>> 0));
  return joined(parts);
}

/** @type {(kind: string, data: Uint8Array) => Uint8Array<ArrayBuffer>} */
function chunk(kind, data) {
  const body = joined([latin(kind), data]);
  return joined([bigEndian(data.length), body, bigEndian(crc(body))]);
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

/** @type {(bytes: Uint8Array) => number} */
function crc(bytes) {
  let value = 0xffffffff;
  for (const byte of bytes) value = CRC_TABLE[(value ^ byte) & 255] ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}

/** @type {(value: number) => Uint8Array<ArrayBuffer>} */
function bigEndian(value) {
  return new Uint8Array([value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255]);
}

/** @type {(parts: Uint8Array[]) => Uint8Array<ArrayBuffer>} */
function joined(parts) {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** @type {(text: string) => Uint8Array<ArrayBuffer>} */
function latin(text) {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}

/**
 * Bytes as base64, and back.
 * @type {(bytes: Uint8Array) => string}
 */
export function base64(bytes) {
  let text = "";
  for (let start = 0; start < bytes.length; start += 8192)
    text += String.fromCharCode(...bytes.subarray(start, start + 8192));
  return btoa(text);
}

/** @type {(text: string) => Uint8Array<ArrayBuffer>} */
export function fromBase64(text) {
  return latin(atob(text));
}
