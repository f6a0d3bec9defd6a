// The live camera, on the pad: five pictures a second go the way of a file, so every view follows. The last one stays.

import { context2d } from "../state/picture.js";
import { byId, make, openDialog, set, write } from "../shared/dom.js";
import { cameraHint, noCamera } from "../shared/words.js";
import { place } from "./frames.js";

/** @import { FileChosen } from "../state/types.d.ts" */
/** @import { Context } from "../shared/types.d.ts" */
/** @import { Camera } from "./types.d.ts" */

const EVERY_MS = 200;
const LONGER_SIDE = 640; // of what is sent

/** @type {(context: Context) => Camera} */
export function createCamera(context) {
  const video = make("video", { playsinline: true, muted: true, "aria-label": "Camera" });
  const frame = make("span", { hidden: true });
  const take = make("button", { class: "main", onclick: () => stop(true) }, "Take it");
  const hint = make("p", { class: "unseen", role: "status" }, "");
  const root = make(
    "div",
    { class: "live", id: "camera", hidden: true },
    video,
    make("div", { class: "boxes", "aria-hidden": "true" }, frame),
    make("p", { class: "row" }, take, make("button", { onclick: () => stop(false) }, "Stop")),
    hint,
  );
  byId("drop").append(root);
  const canvas = make("canvas");
  /** @type {MediaStream | null} */
  let stream = null;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  let timer;
  let isBusy = false;
  /** @type {FileChosen | null} */
  let last = null;
  /** @type {WeakSet<ArrayBuffer>} */
  let own = new WeakSet();

  async function start() {
    if (stream) return;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    } catch (error) {
      openDialog("Camera", make("p", {}, noCamera(error instanceof Error ? error.name : String(error))));
      return;
    }
    video.srcObject = stream;
    [last, own] = [null, new WeakSet()];
    set(root, "hidden", false);
    write(hint, cameraHint(!document.documentElement.hasAttribute("data-classes")));
    take.focus({ preventScroll: true });
    await video.play();
    timer = setInterval(look, EVERY_MS);
  }

  /** Send what is seen now, unless the last is not on its way yet or nobody sees it. */
  async function look() {
    if (!root.getClientRects().length) return stop(true);
    if (isBusy || !video.videoWidth) return;
    isBusy = true;
    try {
      const scale = Math.min(1, LONGER_SIDE / Math.max(video.videoWidth, video.videoHeight));
      [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight].map((side) => Math.round(side * scale));
      context2d(canvas).drawImage(video, 0, 0, canvas.width, canvas.height);
      /** @type {Blob | null} */
      const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.9));
      const bytes = await blob?.arrayBuffer();
      if (!bytes || !stream) return;
      const isFirst = !last;
      own.add(bytes);
      last = { kind: "file", name: "camera.jpg", bytes, image: null, isLive: true };
      context.show(last, isFirst);
    } finally {
      isBusy = false;
    }
  }

  /** @type {(isKept: boolean) => Promise<void>} */
  async function stop(isKept) {
    if (!stream) return;
    for (const track of stream.getTracks()) track.stop();
    clearInterval(timer);
    stream = null;
    set(root, "hidden", true);
    set(frame, "hidden", true);
    if (!last || context.store.get().picture !== last) return;
    if (isKept) context.show({ ...last, isLive: false, image: await createImageBitmap(canvas) }, false);
    else context.pad.undo();
  }

  document.addEventListener("visibilitychange", () => document.hidden && stop(true));
  root.addEventListener("keydown", ({ key }) => key === "Escape" && stop(false));

  return {
    start,
    draw({ state, data: { verdict } }) {
      if (!stream) return;
      if (last && state.picture !== last) return void stop(true); // another picture took its place
      const bytes = verdict?.want.request.picture?.bytes;
      const box = verdict && bytes && own.has(bytes) ? verdict.result.prepared?.box : null;
      set(frame, "hidden", !box);
      set(frame, "class", verdict?.result.is_digit === false ? "unsure" : null);
      if (box) place(frame, box, canvas);
    },
  };
}
