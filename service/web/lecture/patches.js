// Step 2: the picture, cut into patches by the service.

import { changes, make, radios, set, write } from "../shared/dom.js";
import { createGrid } from "../shared/grid.js";
import { frame, heatmap } from "../shared/heatmap.js";
import { counted } from "../shared/words.js";
import { want } from "../state/api.js";
import { answerOf, figure, paintMap, paintPicture, plate, SIDE, SIZE } from "./parts.js";

/** @import { Theme } from "../numbers/types.d.ts" */
/** @import { Model } from "../state/types.d.ts" */
/** @import { Create, Cut } from "./types.d.ts" */

const GAP = 2; // between two patches, in pixels of the picture
const ASKED = 121;

/** @type {Create} */
export const create = (room) => {
  let [stride, padding] = [7, "valid"];
  let at = [0, 0]; // the patch that is pointed at
  const isNew = changes();
  const picture = heatmap();
  const first = make("span", { class: "frame" });
  const second = make("span", { class: "frame second" });
  const [right, bottom] = [make("span", { class: "unread" }), make("span", { class: "unread" })];
  const sheet = createGrid("the patches", {
    move: (row, column) => {
      at = [row, column];
      room.redraw();
    },
  });
  sheet.canvas.classList.add("apart");
  const views = make("p", { class: "muted" }, "");
  const count = make("p", { class: "formula big", id: "patch-count" }, "");
  const work = make("p", {}, "");
  const why = make("p", { class: "aside-box" }, "");
  const strides = radios(
    "stride",
    "lecture-stride",
    ["7", "4", "3", "2", "1"].map((text) => [text, text]),
    (value) => {
      stride = Number(value);
      room.redraw();
    },
  );
  /** @type {[string, string][]} */
  const edges = [
    ["valid", "left out"],
    ["same", "filled with paper"],
  ];
  const edge = radios("what hangs over the edge is", "lecture-edge", edges, (value) => {
    padding = value;
    room.redraw();
  });
  const cover = make("div", { class: "framed" }, picture, right, bottom, first, second);
  const left = plate("Your digit: one patch, and the next", cover);
  const root = make(
    "div",
    {},
    make("div", { class: "controls" }, strides.field, edge.field),
    make(
      "div",
      { class: "plates", "data-lane": "lecture/patches" },
      left,
      figure(sheet, "The patches, apart: point at one"),
      make("div", { class: "column" }, count, work, views, why),
    ),
  );

  /** @type {(model: Model) => ReturnType<typeof want> | null} */
  function asked({ data }) {
    const options = { prepare: "none", patch_size: SIZE, stride, padding };
    return (
      data.input &&
      want("lecture/patches", { method: "POST", path: "/v1/patches", query: options, picture: data.input })
    );
  }

  /** @type {(model: Model) => Cut | null} */
  const answer = (model) => answerOf(room, "lecture/patches", asked(model));

  /** @type {(model: Model) => void} */
  function draw(model) {
    strides.choose(String(stride));
    edge.choose(padding);
    const cut = answer(model);
    const { input: base } = model.data;
    if (!cut || !base || !isNew(cut, String(at), model.theme)) return;
    paintPicture(picture, base, model.theme);
    const [row, column] = at.map((each, axis) => Math.min(each, cut.grid[axis] - 1));
    const [top, left] = cut.corners[row * cut.grid[1] + column];
    const next = column + 1 < cut.grid[1] ? cut.corners[row * cut.grid[1] + column + 1] : null;
    frame(first, { top, left, height: SIZE, width: SIZE }, SIDE, SIDE);
    frame(second, next && { top: next[0], left: next[1], height: SIZE, width: SIZE }, SIDE, SIDE);
    sheet.mark(
      cut.grid[0],
      cut.grid[1],
      [row, column],
      `rows ${top} to ${top + 6}, columns ${left} to ${left + 6} of the picture`,
    );
    const [rows, columns] = cut.unread;
    frame(right, columns ? { top: 0, left: SIDE - columns, height: SIDE, width: columns } : null, SIDE, SIDE);
    frame(bottom, rows ? { top: SIDE - rows, left: 0, height: rows, width: SIDE } : null, SIDE, SIDE);
    paintApart(sheet.canvas, cut, model.theme);
    write(count, `${cut.grid[0]} × ${cut.grid[1]} = ${counted(cut.count, "patch")}`);
    write(work, workOf(cut));
    const shared = SIZE * Math.max(SIZE - stride, 0);
    write(
      views,
      `A patch is a view: not a copy, but rows ${top} to ${top + 6} and columns ${left} to ${left + 6} of the picture itself. ${shared ? `It shares ${shared} of its 49 numbers with the next.` : "It shares none of its 49 numbers with the next."}`,
    );
    write(why, whyNot(cut));
    set(why, "hidden", !whyNot(cut));
  }

  /** @type {(cut: Cut) => string} */
  function workOf({ grid: [rows], unread: [edgeRows] }) {
    if (padding === "same")
      return `28 ÷ ${stride}, rounded up: ${counted(rows, "place")} in each direction, with paper added around.`;
    const exact = (SIDE - SIZE) / stride;
    const rest = edgeRows
      ? ` At the right and below, ${counted(edgeRows, "pixel")} (hatched) no patch reads.`
      : " Every pixel is read.";
    return `(28 − 7) ÷ ${stride} = ${Number.isInteger(exact) ? exact : exact.toFixed(1)} steps, and the first place: ${rows} in each direction.${rest}`;
  }

  /** @type {(cut: Cut) => string} */
  function whyNot({ count: found }) {
    if (found === 196)
      return "These are the 196: the patches of the last three places hang over the edge, and paper was added for them. The 121 read nothing but your digit.";
    if (found !== ASKED) return "";
    return "Why not 28 ÷ 2 = 14, and 14 × 14 = 196? From the places 22, 24 and 26 a patch of 7 would reach beyond the edge. 14 − 3 = 11. “Filled with paper” shows the 196.";
  }

  return {
    root,
    draw,
    wants: (model) => [asked(model) ?? []].flat(),
    isDone: (model) => answer(model)?.count === ASKED,
  };
};

/**
 * Paint all patches with a gap between each two.
 * @type {(canvas: HTMLCanvasElement, cut: Cut, theme: Theme) => void}
 */
function paintApart(canvas, { patches, grid: [rows, columns] }, theme) {
  const step = SIZE + GAP;
  const [height, width] = [rows * step - GAP, columns * step - GAP];
  const values = new Float32Array(height * width).fill(NaN);
  patches.forEach((patch, i) => {
    const start = Math.floor(i / columns) * step * width + (i % columns) * step;
    patch.forEach((row, y) => values.set(row, start + y * width));
  });
  paintMap(canvas, { values, rows: height, columns: width, theme, range: [0, 1], scale: "pencil" });
}
