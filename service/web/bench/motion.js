// How the window moves over the picture: played at a chosen speed, a step at a time, or by the slider. A view that is
// not open does not play, and where less motion is asked for there is the step alone.

import { make, select, set, write } from "../shared/dom.js";

/** @import { Applied, Bench, State } from "../state/types.d.ts" */
/** @import { Context } from "../shared/types.d.ts" */
/** @import { Motion, Places } from "./types.d.ts" */

const STEP_MS = 250;
const SPEEDS = [
  ["1", "4 patches a second"],
  ["4", "16 patches a second"],
  ["16", "64 patches a second"],
];

/**
 * change(patch) changes the bench; grid() tells the places of its map as they are shown: how many, and which is under
 * the window
 * @type {(context: Context, change: (patch: Partial<Bench>) => void, grid: () => Places) => Motion}
 */
export function createMotion(context, change, grid) {
  /** @type {ReturnType<typeof setInterval> | undefined} */
  let timer;
  let speed = 1;
  const isStill = matchMedia("(prefers-reduced-motion: reduce)");
  const stop = () => {
    clearInterval(timer);
    timer = undefined;
    write(playing, "Play");
  };
  /** @type {(place: number) => void} */
  const go = (place) => {
    const { count } = grid();
    if (!count) return;
    const { isWhole } = context.store.get().bench;
    change({ place: Math.min(Math.max(place, 0), count - 1), isWhole });
  };
  /** @type {(by: number) => void} */
  const move = (by) => {
    const { count, place } = grid();
    if (!count) return;
    // A map that is whole is begun anew, so that one sees it come.
    const { isWhole } = context.store.get().bench;
    change({ place: isWhole ? 0 : (place + by + count) % count, isWhole: false });
  };
  const tick = () => {
    const { count, place } = grid();
    if (context.store.get().view !== "bench") stop();
    else if (!context.store.get().bench.isWhole && place >= count - 1) {
      stop();
      change({ isWhole: true });
    } else move(1);
  };
  const play = () => {
    stop();
    if (!grid().count) return;
    move(1);
    if (isStill.matches) return;
    write(playing, "Pause");
    timer = setInterval(tick, STEP_MS / speed);
  };
  const playing = make("button", { class: "main", onclick: () => (timer ? stop() : play()) }, "Play");
  const stepOn = () => {
    stop();
    move(1);
  };
  const step = make("button", { onclick: stepOn }, "Step");
  const pace = select("Speed", SPEEDS, (chosen) => {
    speed = Number(chosen);
    if (timer) play();
  });
  const whole = make("button", { onclick: () => change({ isWhole: true }) }, "Whole map");
  const scrub = make("input", { type: "range", min: "0", max: "120", value: "0", "aria-label": "Patch" });
  scrub.addEventListener("input", () => {
    stop();
    change({ place: scrub.valueAsNumber, isWhole: false });
  });
  scrub.addEventListener("keydown", (event) => {
    const { columns, place } = grid();
    const by = { PageUp: -columns, PageDown: columns }[event.key];
    if (event.key === " ") (timer ? stop : play)();
    else if (by) go(place + by);
    else return;
    event.preventDefault();
  });
  const root = make("div", { class: "motion" }, playing, step, whole, pace.field, scrub);
  /** @type {(state: State, applied: Applied | undefined) => void} */
  const draw = ({ bench }, applied) => {
    const { count, place } = grid();
    set(playing, "hidden", isStill.matches);
    set(pace.field, "hidden", isStill.matches);
    set(whole, "disabled", bench.isWhole);
    if (!applied) return;
    set(scrub, "max", Math.max(count - 1, 0));
    scrub.value = String(place);
    set(scrub, "aria-valuetext", `patch ${place + 1} of ${count}`);
  };
  return { root, draw, play, go: (place) => (stop(), go(place)) };
}
