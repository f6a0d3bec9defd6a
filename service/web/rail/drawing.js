// The pad: strokes become ink. Strokes are kept as points in 0..1, so that they can be drawn again at any size.

import { context2d, INK_SIDE, NUMBER_SIDE } from "../state/picture.js";
import { paintPicture } from "../shared/heatmap.js";

/** @import { Levels } from "../numbers/types.d.ts" */
/** @import { Form, Point } from "../state/types.d.ts" */
/** @import { Pad, PadEvents, Shown } from "./types.d.ts" */

const PEN = 8.8 / INK_SIDE; // width of the pen, as a share of the pad
const FINE_PEN = 4.8 / INK_SIDE; // for several digits, each of which is smaller
const TALLEST = 24; // rem: a picture that is higher than wide makes the pad no higher
const KEY_STEP = 4 / INK_SIDE;

// A link has a byte for each number of a point. Points are rounded to that, so that a link has the very same ink.
/** @type {(point: Point) => Point} */
const rounded = (point) => point.map((share) => Math.round(share * 255) / 255);

// A 3, as a hand writes it; its rival is the 8.
export const EXAMPLE = [
  [
    [0.3, 0.24],
    [0.36, 0.19],
    [0.44, 0.165],
    [0.53, 0.165],
    [0.61, 0.19],
    [0.655, 0.24],
    [0.66, 0.3],
    [0.63, 0.36],
    [0.57, 0.41],
    [0.5, 0.445],
    [0.45, 0.46],
    [0.52, 0.465],
    [0.6, 0.49],
    [0.665, 0.54],
    [0.695, 0.61],
    [0.685, 0.69],
    [0.64, 0.76],
    [0.57, 0.81],
    [0.48, 0.835],
    [0.39, 0.825],
    [0.32, 0.79],
    [0.275, 0.74],
  ].map(rounded),
];

/**
 * Make a canvas into a pad.
 * on: {begin(), ink(isFinished), undo(), redo()}; begin is called before a hand's first ink of a stroke, and before it
 * clears the pad. What is drawn with start, as an example is, does not call it.
 * @type {(canvas: HTMLCanvasElement, on: PadEvents) => Pad}
 */
export function createPad(canvas, on) {
  const small = Object.assign(document.createElement("canvas"), { width: INK_SIDE, height: INK_SIDE });
  const ink = context2d(small, { willReadFrequently: true, alpha: false });
  /** @type {Pad} */
  const pad = {
    strokes: [],
    image: null,
    pen: [0.5, 0.5],
    drawing: null,
    focused: false,
    isOff: false,
    isDark: false,
    ink: () => {
      const { width, height } = small;
      const levels = greyOf(ink.getImageData(0, 0, width, height).data);
      return { levels: pad.isDark ? levels.map((level) => 255 - level) : levels, width, height, channels: 1 };
    },
    reads: (form, isOff, isDark) => {
      Object.assign(pad, { isOff, isDark });
      canvas.classList.toggle("off", isOff);
      const [width, height] = isOff ? [INK_SIDE, INK_SIDE] : sizeOf(form);
      if (small.width !== width || small.height !== height) Object.assign(small, { width, height });
      const box = /** @type {HTMLElement} */ (canvas.parentElement);
      box.style.aspectRatio = width === height ? "" : `${width} / ${height}`;
      box.style.width = width < height ? `min(100%, ${(TALLEST * width) / height}rem)` : "";
      redraw(pad, canvas, ink);
    },
    fine: () => fine(pad.strokes),
    show: (strokes) => {
      pad.strokes = strokes.map((points) => [...points]);
      pad.drawing = null;
      pad.image = null;
      redraw(pad, canvas, ink);
    },
    showImage: (image) => {
      pad.strokes = [];
      pad.drawing = null;
      pad.image = image;
      redraw(pad, canvas, ink);
    },
    redraw: () => redraw(pad, canvas, ink),
    begin: (point) => {
      on.begin();
      pad.start(point);
    },
    start: (point) => start(pad, canvas, ink, point, on),
    extend: (point) => extend(pad, canvas, ink, point, on),
    end: () => end(pad, on),
    undo: on.undo,
    redo: on.redo,
    clear: () => {
      on.begin(true);
      pad.show([]);
      on.ink(true);
    },
  };
  listenToPointers(canvas, pad);
  listenToKeys(canvas, pad);
  new ResizeObserver(() => pad.redraw()).observe(canvas);
  return pad;
}

/**
 * The pixels of ink that are sent to a network: of digits always as many; to another in the shape of its pictures, and
 * no fewer than these have.
 * @type {(form: Form) => [width: number, height: number]}
 */
function sizeOf({ width, height, isInk }) {
  if (isInk) return [INK_SIDE, INK_SIDE];
  const scale = Math.max(1, INK_SIDE / Math.max(width, height));
  return [Math.round(width * scale), Math.round(height * scale)];
}

/** @type {(pad: Pad, canvas: HTMLCanvasElement, ink: CanvasRenderingContext2D, point: Point, on: PadEvents) => void} */
function start(pad, canvas, ink, point, on) {
  pad.drawing = [rounded(point)];
  pad.strokes.push(pad.drawing);
  drawSegment(canvas, ink, pad.drawing, 0);
  on.ink(false);
}

/** @type {(pad: Pad, canvas: HTMLCanvasElement, ink: CanvasRenderingContext2D, point: Point, on: PadEvents) => void} */
function extend(pad, canvas, ink, point, on) {
  const { drawing } = pad;
  if (!drawing) return;
  const [x, y] = drawing[drawing.length - 1];
  if (Math.hypot(point[0] - x, point[1] - y) < 0.006) return;
  drawing.push(rounded(point));
  drawSegment(canvas, ink, drawing, drawing.length - 1);
  on.ink(false);
}

/** @type {(pad: Pad, on: PadEvents) => void} */
function end(pad, on) {
  if (!pad.drawing) return;
  pad.drawing = null;
  on.ink(true);
}

/** @type {(strokes: Point[][]) => Uint8Array} */
function fine(strokes) {
  const canvas = Object.assign(document.createElement("canvas"), { width: NUMBER_SIDE, height: NUMBER_SIDE });
  const context = context2d(canvas, { willReadFrequently: true, alpha: false });
  blank(context);
  for (const points of strokes) points.forEach((_, i) => drawPiece(context, points, i, FINE_PEN));
  return greyOf(context.getImageData(0, 0, NUMBER_SIDE, NUMBER_SIDE).data);
}

/** @type {(context: CanvasRenderingContext2D) => void} */
function blank(context) {
  context.fillStyle = "#fff";
  context.fillRect(0, 0, context.canvas.width, context.canvas.height);
}

/** @type {(pad: Pad, canvas: HTMLCanvasElement, ink: CanvasRenderingContext2D) => void} */
function redraw(pad, canvas, ink) {
  const [width, height] = [canvas.clientWidth, canvas.clientHeight].map((side) => Math.round(side * devicePixelRatio));
  if (width && height && (canvas.width !== width || canvas.height !== height)) Object.assign(canvas, { width, height });
  for (const context of [context2d(canvas), ink]) blank(context);
  // A picture has its own light; only what is drawn is on the ground that was chosen.
  canvas.classList.toggle("dark", pad.isDark && !pad.image && !(pad.isOff && !pad.strokes.length));
  if (pad.image) drawImage(context2d(canvas), pad.image);
  for (const points of pad.strokes) points.forEach((_, i) => drawSegment(canvas, ink, points, i));
  if (pad.focused) drawCursor(canvas, pad.pen);
}

/** @type {(context: CanvasRenderingContext2D, shown: Shown) => void} */
function drawImage(context, { image, levels, box }) {
  const { width, height } = context.canvas;
  const side = Math.max(width, height);
  context.imageSmoothingEnabled = !levels;
  const source = levels ? levelsCanvas(levels) : image;
  if (!source) return;
  const scale = Math.min(width / source.width, height / source.height);
  const [left, top] = [(width - source.width * scale) / 2, (height - source.height * scale) / 2];
  context.drawImage(source, left, top, source.width * scale, source.height * scale);
  if (!box) return;
  context.strokeStyle = "#0b5cad";
  context.lineWidth = Math.max(2, side / 140);
  context.strokeRect(left + box[0] * scale, top + box[1] * scale, box[2] * scale, box[3] * scale);
}

// The pad is of white paper in every theme.
/** @type {(levels: Levels) => HTMLCanvasElement} */
function levelsCanvas(levels) {
  const canvas = document.createElement("canvas");
  paintPicture(canvas, levels, "light");
  return canvas;
}

/** @type {(canvas: HTMLCanvasElement, ink: CanvasRenderingContext2D, points: Point[], index: number) => void} */
function drawSegment(canvas, ink, points, index) {
  for (const context of [context2d(canvas), ink]) drawPiece(context, points, index, PEN);
}

// The newest piece of a stroke: a curve between the middles of its neighbours, so that corners are round.
/** @type {(context: CanvasRenderingContext2D, points: Point[], index: number, pen: number) => void} */
function drawPiece(context, points, index, pen) {
  const { width, height } = context.canvas;
  const [x, y] = points[0];
  if (index) drawCurve(context, points, index, pen);
  else drawDot(context, x * width, y * height, (pen * Math.max(width, height)) / 2);
}

// A line of no length draws nothing. So a stroke begins with a dot.
/** @type {(context: CanvasRenderingContext2D, x: number, y: number, radius: number) => void} */
function drawDot(context, x, y, radius) {
  context.fillStyle = "#000";
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fill();
}

/** @type {(context: CanvasRenderingContext2D, points: Point[], index: number, pen: number) => void} */
function drawCurve(context, points, index, pen) {
  const { width, height } = context.canvas;
  /** @type {(point: Point) => [number, number]} */
  const at = ([x, y]) => [x * width, y * height];
  /** @type {(a: Point, b: Point) => [number, number]} */
  const middle = ([ax, ay], [bx, by]) => [((ax + bx) / 2) * width, ((ay + by) / 2) * height];
  const lineWidth = pen * Math.max(width, height);
  Object.assign(context, { strokeStyle: "#000", lineWidth, lineCap: "round", lineJoin: "round" });
  context.beginPath();
  const previous = points[index - 1];
  context.moveTo(...(index > 1 ? middle(points[index - 2], previous) : at(previous)));
  if (index > 1) context.quadraticCurveTo(...at(previous), ...middle(previous, points[index]));
  context.lineTo(...at(points[index]));
  context.stroke();
}

/** @type {(canvas: HTMLCanvasElement, pen: Point) => void} */
function drawCursor(canvas, [x, y]) {
  const context = context2d(canvas);
  const { width, height } = canvas;
  const side = Math.max(width, height);
  context.strokeStyle = "#0b5cad";
  context.lineWidth = Math.max(2, side / 150);
  context.beginPath();
  context.arc(x * width, y * height, (PEN * side) / 2 + 2, 0, 2 * Math.PI);
  context.stroke();
}

/** @type {(rgba: Uint8ClampedArray) => Uint8Array} */
function greyOf(rgba) {
  const levels = new Uint8Array(rgba.length / 4);
  for (let i = 0; i < levels.length; i += 1) levels[i] = rgba[4 * i];
  return levels;
}

/** @type {(canvas: HTMLCanvasElement, pad: Pad) => void} */
function listenToPointers(canvas, pad) {
  /** @type {number | null} */
  let owner = null; // the one pointer that draws
  /** @type {(event: PointerEvent) => Point} */
  const pointOf = (event) => {
    const box = canvas.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height].map((v) =>
      Math.min(Math.max(v, 0), 1),
    );
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (owner !== null || event.button !== 0 || pad.isOff) return;
    owner = event.pointerId;
    canvas.setPointerCapture(owner);
    pad.focused = false;
    pad.begin(pointOf(event));
    event.preventDefault();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (event.pointerId !== owner) return;
    const all = event.getCoalescedEvents?.() || [];
    for (const each of all.length ? all : [event]) pad.extend(pointOf(each));
  });
  /** @type {(event: PointerEvent) => void} */
  const finish = (event) => {
    if (event.pointerId !== owner) return;
    owner = null;
    pad.end();
  };
  canvas.addEventListener("pointerup", finish);
  canvas.addEventListener("pointercancel", finish);
  canvas.addEventListener("lostpointercapture", finish);
}

/** @type {Record<string, [right: number, down: number]>} */
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** @type {(canvas: HTMLCanvasElement, pad: Pad) => void} */
function listenToKeys(canvas, pad) {
  canvas.addEventListener("focus", () => {
    pad.focused = canvas.matches(":focus-visible") && !pad.isOff;
    pad.redraw();
  });
  canvas.addEventListener("blur", () => {
    pad.focused = false;
    pad.end();
    pad.redraw();
  });
  canvas.addEventListener("keyup", (event) => {
    if (event.key === "Shift" && pad.drawing) pad.end();
  });
  canvas.addEventListener("keydown", (event) => {
    if (pad.isOff || !pressed(event, pad)) return;
    event.preventDefault();
    pad.redraw();
  });
}

/** @type {(event: KeyboardEvent, pad: Pad) => boolean} */
function pressed(event, pad) {
  if (event.ctrlKey || event.metaKey) {
    if (event.key.toLowerCase() !== "z") return false;
    (event.shiftKey ? pad.redo : pad.undo)();
    return true;
  }
  pad.focused = true;
  if (event.key in ARROWS) movePen(event, pad);
  else if (event.key === " ") {
    pad.begin([...pad.pen]);
    pad.end();
  } else if (event.key === "Delete" || event.key === "Backspace") pad.clear();
  else return false;
  return true;
}

/** @type {(event: KeyboardEvent, pad: Pad) => void} */
function movePen(event, pad) {
  const [dx, dy] = ARROWS[event.key];
  if (event.shiftKey && !pad.drawing) pad.begin([...pad.pen]);
  pad.pen = [pad.pen[0] + dx * KEY_STEP, pad.pen[1] + dy * KEY_STEP].map((v) => Math.min(Math.max(v, 0), 1));
  if (event.shiftKey) pad.extend([...pad.pen]);
}

/**
 * Draw strokes as if by hand, in `milliseconds`; returns a function that ends it early.
 * @type {(pad: Pad, strokes: Point[][], milliseconds: number, done: () => void) => () => void}
 */
export function play(pad, strokes, milliseconds, done) {
  const points = strokes.flatMap((stroke) => stroke.map((point, i) => ({ point, isFirst: i === 0 })));
  const start = performance.now();
  let drawn = 0;
  let stopped = false;
  /** @type {(now: number) => void} */
  const step = (now) => {
    if (stopped) return;
    const upTo = Math.min(points.length, Math.ceil(((now - start) / milliseconds) * points.length));
    for (; drawn < upTo; drawn += 1) {
      const { point, isFirst } = points[drawn];
      if (isFirst) pad.start(point);
      else pad.extend(point);
    }
    if (drawn < points.length) requestAnimationFrame(step);
    else {
      pad.end();
      done();
    }
  };
  requestAnimationFrame(step);
  return () => {
    stopped = true;
  };
}
