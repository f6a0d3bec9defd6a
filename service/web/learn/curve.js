// A curve of learning: the share that is right, drawn firmly, and the loss, drawn faintly; both over the pictures seen.

import { make, set, shape, write } from "../shared/dom.js";
import { plainPercent, short } from "../numbers/scales.js";

/** @import { Curve, CurvePoint } from "./types.d.ts" */

const [WIDTH, HEIGHT] = [320, 150];

/** @type {(across: string, up: string) => Curve} */
export function createCurve(across, up) {
  /** @type {CurvePoint[]} */
  let points = [];
  const right = shape("path", { class: "right" });
  const loss = shape("path", { class: "loss" });
  const here = shape("circle", { class: "here", r: 4, visibility: "hidden" });
  const lines = [0, 0.5, 1].map((share) =>
    shape("path", { class: "line", d: `M0 ${HEIGHT * (1 - share)}H${WIDTH}` }),
  );
  const drawing = shape(
    "svg",
    { class: "curve", viewBox: `-4 -4 ${WIDTH + 8} ${HEIGHT + 8}`, role: "img", "aria-label": up },
    lines,
    loss,
    right,
    here,
  );
  const ends = make("span", {}, "");
  const words = make("span", { class: "muted" }, "");
  const root = make(
    "figure",
    { class: "curve-figure" },
    make("figcaption", {}, make("b", {}, up), ", and the loss (dashed); lines at 0, 50 and 100 %"),
    drawing,
    make("div", { class: "ends" }, make("span", {}, "0"), words, ends),
  );
  /** @type {(value: number, most: number) => number} */
  const scaled = (value, most) => HEIGHT * (1 - Math.min(Math.max(value / most, 0), 1));
  return {
    root,
    clear: () => (points = []),
    add: (seen, share, lost) => points.push({ seen, right: share, loss: lost }),
    draw(at = points.length - 1) {
      const last = points[points.length - 1];
      if (!last) return;
      const x = (/** @type {CurvePoint} */ { seen }) => (WIDTH * seen) / Math.max(last.seen, 1);
      const most = Math.max(...points.map((point) => point.loss).filter(Number.isFinite), 1e-9);
      /** @type {(value: (point: CurvePoint) => number, top: number) => string} */
      const path = (value, top) =>
        points
          .filter((point) => Number.isFinite(value(point)))
          .map((point, i) => `${i ? "L" : "M"}${x(point).toFixed(1)} ${scaled(value(point), top).toFixed(1)}`)
          .join("");
      set(right, "d", path((point) => point.right, 1));
      set(loss, "d", path((point) => point.loss, most));
      set(here, "visibility", "visible");
      set(here, "cx", x(points[at]).toFixed(1));
      set(here, "cy", scaled(points[at].right, 1).toFixed(1));
      write(ends, last.seen.toLocaleString("en"));
      write(words, across);
      const lost = Number.isFinite(points[at].loss) ? `, loss ${short(points[at].loss)}` : "";
      set(drawing, "aria-label", `${up}: ${plainPercent(points[at].right)}${lost}, after ${points[at].seen} of ${last.seen} ${across}`);
    },
  };
}
