// Step 4: the window slides, and each sum becomes a cell of the map.

import { fixed, short } from "../numbers/scales.js";
import { changes, make, select, set, write } from "../shared/dom.js";
import { frame, heatmap, legend } from "../shared/heatmap.js";
import { around, figure, flat, paintMap, paintPicture, PAIR_NAMES, pairOf, pairWant, picker, place } from "./parts.js";
import { plate, sourceOf, sources } from "./parts.js";

/** @import { Model } from "../state/types.d.ts" */
/** @import { Create } from "./types.d.ts" */

const STEP_MS = 240;
const PLACES = 121;
const still = matchMedia("(prefers-reduced-motion: reduce)");

/** @type {Create} */
export const create = (room) => {
  let [reached, speed] = [0, 4];
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const isNew = changes();
  const strip = sources(room);
  const picked = picker("the window, at a place of 11 by 11", {
    move: () => {},
    pin: (row, column) => reach(row * 11 + column + 1),
  });
  const map = heatmap({ class: "heat hatched" });
  const cell = make("span", { class: "frame" });
  const weights = heatmap({ class: "heat small" });
  const scale = legend();
  const words = make("p", { class: "formula", "data-lane": "lecture/pair" }, "");
  const slider = make("input", {
    type: "range",
    min: 0,
    max: PLACES,
    step: 1,
    value: 0,
    "aria-label": "Places reached",
  });
  slider.addEventListener("input", () => {
    leave();
    reach(slider.valueAsNumber);
  });
  const play = make("button", { class: "main", onclick: press }, "Play");
  const pace = select(
    "speed",
    [
      ["1", "slow"],
      ["4", "4 ×"],
      ["16", "16 ×"],
    ],
    (value) => {
      speed = Number(value);
    },
  );
  pace.box.value = "4";
  const root = make(
    "div",
    {},
    strip.root,
    make(
      "div",
      { class: "controls" },
      play,
      make("label", { class: "field grow" }, make("span", {}, "places reached"), slider),
      pace.field,
    ),
    make(
      "div",
      { class: "plates", "data-lane": "lecture/pair" },
      figure(picked.grid, "The window"),
      make("figure", { class: "slim" }, make("figcaption", {}, `The filter ${PAIR_NAMES[0]}`), weights),
      plate("The map: hatched is not reached yet", make("div", { class: "framed" }, map, cell), scale.root),
    ),
    words,
  );

  /** @type {(count: number) => void} */
  function reach(count) {
    reached = Math.min(Math.max(count, 0), PLACES);
    room.redraw();
  }

  function press() {
    if (timer) return leave();
    if (reached === PLACES) reached = 0;
    if (still.matches) return reach(Math.floor(reached / 11) * 11 + 11);
    run();
  }

  function run() {
    timer = setTimeout(() => {
      const isSeen = root.getClientRects().length > 0;
      reach(reached + 1);
      if (isSeen && reached < PLACES) run();
      else leave();
    }, STEP_MS / speed);
    room.redraw();
  }

  function leave() {
    clearTimeout(timer);
    timer = undefined;
    room.redraw();
  }

  /** @type {(model: Model) => Float32Array | null} */
  function sums(model) {
    const answer = pairOf(room, sourceOf(room, model));
    return answer && flat(answer.filters[0].response);
  }

  /** @type {(model: Model) => void} */
  function draw(model) {
    strip.draw(model);
    write(play, timer ? "Pause" : still.matches ? "Next row" : reached === PLACES ? "Play again" : "Play");
    const values = sums(model);
    const source = sourceOf(room, model);
    const answer = pairOf(room, source);
    if (!values || !source || !answer || !isNew(answer, reached, model.theme)) return;
    if (slider.valueAsNumber !== reached) slider.value = String(reached);
    set(slider, "aria-valuetext", `${reached} of ${PLACES}`);
    const last = Math.max(reached - 1, 0);
    const at = [Math.floor(last / 11), last % 11];
    paintPicture(picked.grid.canvas, source, model.theme);
    place(picked, [11, 11], at, short(values[last]));
    const range = around(values);
    paintMap(map, {
      values: values.map((value, i) => (i < reached ? value : NaN)),
      rows: 11,
      columns: 11,
      theme: model.theme,
      range,
    });
    frame(cell, reached ? { top: at[0], left: at[1], height: 1, width: 1 } : null, 11, 11);
    paintMap(weights, {
      values: flat(answer.filters[0].weights),
      rows: 7,
      columns: 7,
      theme: model.theme,
      range: [-1, 1],
    });
    scale.draw("diverging", model.theme, range, "blue +, orange −");
    write(
      words,
      reached
        ? `place ${reached} of ${PLACES}, row ${at[0]}, column ${at[1]}: sum ${fixed(values[last])}`
        : `0 of ${PLACES} places`,
    );
  }

  return {
    root,
    draw,
    wants: (model) => [pairWant(sourceOf(room, model)) ?? []].flat(),
    isDone: (model) => reached === PLACES && sums(model) !== null,
    leave,
  };
};
