// The worker that trains. It goes on for a slice when it is told to, and then says how far it has come; so it never
// works unseen, and never asks the service anything.

import { accuracy, gradients, READ, SIDE, zeros } from "./gradient.js";
import { bell, drawnLesson, randomFrom } from "./drawn.js";

/** @import { LessonNetwork, Told, ToWorker } from "./types.d.ts" */

const SEED = 1;
const OF_EACH = 100; // drawings of each digit that are learnt from
const APART = 30; // and kept apart
const BATCH = 10;
const RATE = 0.05;
const FAINT = 0.03; // of the first weights: strokes soon stand out of so little noise
const SLICE = 100; // pictures that are looked at before it is told how far this is
const OWN_SHARE = 0.2; // of a batch, once there are own drawings

const lesson = drawnLesson(SEED, OF_EACH);
const apart = drawnLesson(SEED + 1, APART);
const DRAWN = lesson.labels.length;
let random = randomFrom(SEED + 2);
let network = fresh();
let seen = 0;
let milliseconds = 0;

/** @type {() => LessonNetwork} */
function fresh() {
  const made = zeros();
  made.filters.forEach((_, i) => (made.filters[i] = FAINT * bell(random)));
  made.head.forEach((_, i) => (made.head[i] = bell(random) / Math.sqrt(READ)));
  return made;
}

/** @type {(digit: number, image: Float32Array) => void} */
function add(digit, image) {
  const images = new Float32Array(lesson.images.length + SIDE * SIDE);
  images.set(lesson.images);
  images.set(image, lesson.images.length);
  Object.assign(lesson, { images, labels: Uint8Array.from([...lesson.labels, digit]) });
}

/**
 * One step downhill; returns the loss before it.
 * @type {() => number}
 */
function step() {
  const own = lesson.labels.length - DRAWN;
  const chosen = Array.from({ length: BATCH }, () =>
    own && random() < OWN_SHARE ? DRAWN + Math.floor(random() * own) : Math.floor(random() * DRAWN),
  );
  const { loss, ...slope } = gradients(network, lesson, chosen);
  for (const name of /** @type {(keyof LessonNetwork)[]} */ (Object.keys(slope)))
    slope[name].forEach((value, i) => (network[name][i] -= RATE * value));
  return loss;
}

/** @type {(loss: number) => void} */
function tell(loss) {
  /** @type {Told} */
  const told = { seen, milliseconds, loss, accuracy: accuracy(network, apart), network, drawn: DRAWN, apart: apart.labels.length };
  postMessage(told);
}

addEventListener("message", (/** @type {MessageEvent<ToWorker>} */ { data }) => {
  if (data.kind === "add") return add(data.digit, data.image);
  if (data.kind === "anew") {
    random = randomFrom(SEED + 2);
    [network, seen, milliseconds] = [fresh(), 0, 0];
  }
  const start = performance.now();
  let loss = 0;
  const steps = data.kind === "go" ? SLICE / BATCH : 0;
  for (let i = 0; i < steps; i += 1) loss += step() / steps;
  seen += steps * BATCH;
  milliseconds += performance.now() - start;
  tell(steps ? loss : NaN);
});
