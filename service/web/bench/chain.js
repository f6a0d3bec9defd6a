// What is done to the map of the bench, step by step: pooling, another filter, pooling again. That is a network of your
// own. Each step is a map, and the window behind one of its cells is framed in the map before.

import { want } from "../state/api.js";
import { begun, changes, choice, make, mark, set, write } from "../shared/dom.js";
import { createGrid } from "../shared/grid.js";
import { frame, legend, paint, resize } from "../shared/heatmap.js";
import { colourTable, extent, shownRange, short } from "../numbers/scales.js";

/** @import { Box } from "../numbers/types.d.ts" */
/** @import { Applied, ApplyCall, ApplyStep, ChainCall, Data, Entry, Model, Want } from "../state/types.d.ts" */
/** @import { Context } from "../shared/types.d.ts" */
/** @import { ChainView, Stage, StepView } from "./types.d.ts" */

const MOST = 5; // steps after the first filter
const POOLS = [
  ["max2", "largest of 2 × 2"],
  ["avg2", "mean of 2 × 2"],
  ["max3", "largest of 3 × 3"],
  ["avg3", "mean of 3 × 3"],
  ["max4", "largest of 4 × 4"],
  ["avg4", "mean of 4 × 4"],
];

/** @type {(name: string) => { kind: string, size: number } | null} */
function poolOf(name) {
  const found = /^(max|avg)(\d+)$/.exec(name);
  return found && { kind: found[1], size: Number(found[2]) };
}

/**
 * A call for each step: the first filter and all steps up to this one.
 * @type {(first: ApplyCall, chain: string[]) => Want[]}
 */
export function chainWants(first, chain) {
  const { prepare, ...step } = first.json;
  /** @type {ApplyStep[]} */
  const stages = [step, ...chain.map((name) => stageOf(name, step))];
  return chain.map((_, i) => {
    /** @type {ChainCall} */
    const call = { ...first, json: { prepare, stages: stages.slice(0, i + 2) } };
    return want(`step-${i}`, call);
  });
}

/** @type {(name: string, first: ApplyStep) => ApplyStep} */
function stageOf(name, { filters, activation, orientation }) {
  const pool = poolOf(name);
  if (pool) return { pool };
  return { filters: name === "own" ? filters : [{ preset: name }], activation, orientation };
}

/** @type {(context: Context) => { root: HTMLElement, draw(model: Model, stage: Stage): void }} */
export function createChain(context) {
  /** @type {ChainView} */
  const view = begun({ context, isNew: changes(), filtersAreNew: changes(), steps: [], at: null });
  view.add = make("select", { "aria-label": "Add a step" });
  view.add.addEventListener("change", () => {
    const { chain } = context.store.get();
    if (view.add.value && chain.length < MOST) context.set({ chain: [...chain, view.add.value] });
    view.add.value = "";
  });
  const last = () => context.set({ chain: context.store.get().chain.slice(0, -1) });
  view.remove = make("button", { onclick: last }, "Remove the last step");
  view.words = make("p", { class: "muted" }, "");
  view.list = make("div", { class: "chain" });
  view.root = make(
    "div",
    { class: "result" },
    make("div", { class: "row" }, make("h2", {}, "Then"), mark("pooling"), view.add, view.remove),
    view.list,
    view.words,
  );
  return { root: view.root, draw: (model, stage) => draw(view, model, stage) };
}

/** @type {(view: ChainView, model: Model) => void} */
function listSteps(view, { data }) {
  const presets = data.presets?.answer;
  if (!view.filtersAreNew(presets)) return;
  const names = presets?.filters.map(({ name }) => [name, name.replaceAll("_", " ")]) ?? [];
  view.add.replaceChildren(
    choice(["", "add a step…"]),
    make("optgroup", { label: "pooling" }, POOLS.map(choice)),
    make("optgroup", { label: "another filter" }, [["own", "the filter above"], ...names].map(choice)),
  );
}

/** @type {(view: ChainView, index: number) => StepView} */
function buildStep(view, index) {
  const lane = `step-${index}`;
  const grid = createGrid(`step ${index + 1}`, {
    move: (row, column) => {
      view.at = { index, row, column };
      view.context.redraw();
    },
  });
  const inner = make("span", { class: "frame second", hidden: true });
  grid.root.append(inner);
  const strip = legend();
  const root = make("figure", { "data-lane": lane }, grid.root, strip.root);
  return { root, grid, inner, legend: strip };
}

/** @type {(view: ChainView, model: Model, stage: Stage) => void} */
function draw(view, model, stage) {
  const { state, data, theme } = model;
  const { chain } = state;
  const { map: side } = stage.sides();
  listSteps(view, model);
  set(view.remove, "hidden", !chain.length);
  set(view.add, "hidden", chain.length >= MOST);
  const answers = chain.map((_, i) => data[`step-${i}`]);
  if (!view.isNew(...answers, ...chain, data.response, theme, view.at, side)) return;
  while (view.steps.length < chain.length) view.steps.push(buildStep(view, view.steps.length));
  view.list.replaceChildren(
    ...chain.flatMap((_, i) => [make("span", { class: "sign", "aria-hidden": "true" }, "→"), view.steps[i].root]),
  );
  for (const { inner } of view.steps) set(inner, "hidden", true);
  if (view.at && view.at.index >= chain.length) view.at = null;
  chain.forEach((name, i) => drawStep(view, model, name, i, side));
  drawWindow(view, data, chain, stage);
}

/** @type {(view: ChainView, model: Model, name: string, index: number, side: number) => void} */
function drawStep(view, { data, theme }, name, index, side) {
  const step = view.steps[index];
  const { grid } = step;
  const entry = data[`step-${index}`];
  const result = entry?.answer.results[0];
  if (!entry || !result || entry.want.request.json.stages.length !== index + 2) return;
  const [filter] = result.filters;
  const [rows, columns] = filter.shape.slice(-2);
  const values = filter.response.flat(2);
  const range = shownRange("diverging", extent(values));
  paint(grid.canvas, values, rows, columns, colourTable("diverging", theme), range);
  const first = data.response?.answer.results[0].filters[0].shape.slice(-2) ?? [rows, columns];
  // A pooled map has the same size on the page: a cell stands over the cells that it was made of.
  const least = Math.min(4, side / Math.max(rows, columns));
  const cell = Math.max(least, Math.floor((0.8 * side) / Math.max(rows, columns, ...(index ? [] : [first[0] / 4]))));
  resize(grid.canvas, columns * cell, rows * cell);
  step.legend.draw("diverging", theme, range, `${labelOf(name)}: ${rows} × ${columns}`);
  const place = view.at?.index === index ? [view.at.row, view.at.column] : peak(values, columns);
  const [row, column] = [Math.min(place[0], rows - 1), Math.min(place[1], columns - 1)];
  grid.mark(rows, columns, [row, column], short(values[row * columns + column]));
}

/** @type {(name: string) => string} */
function labelOf(name) {
  return POOLS.find(([value]) => value === name)?.[1] ?? (name === "own" ? "the filter above" : name.replaceAll("_", " "));
}

/** @type {(values: number[], columns: number) => number[]} */
function peak(values, columns) {
  const best = values.reduce((most, value, i) => (Math.abs(value) > Math.abs(values[most]) ? i : most), 0);
  return [Math.floor(best / columns), best % columns];
}

/**
 * Frame what the chosen cell was made of, in the map before it.
 * @type {(view: ChainView, data: Data, chain: string[], stage: Stage) => void}
 */
function drawWindow(view, data, chain, stage) {
  const index = view.at?.index ?? 0;
  const entry = data[`step-${index}`];
  const before = index ? data[`step-${index - 1}`] : data.response;
  const source = before?.answer.results[0].filters[0].shape.slice(-2);
  stage.frameIn(null, 1, 1);
  write(view.words, "");
  if (!chain.length || !entry || !source) return;
  const { grid } = view.steps[index];
  const [row, column] = grid.at;
  const box = clipped(windowBefore(entry, grid.at, chain[index]), source);
  if (index) frame(view.steps[index - 1].inner, box, source[0], source[1]);
  else stage.frameIn(box, source[0], source[1]);
  const value = entry.answer.results[0].filters[0].response.flat(2)[row * grid.columns + column];
  const kind = poolOf(chain[index])?.kind ?? "sum";
  const how = { max: "the largest of", avg: "the mean of", sum: "a sum over" }[kind];
  write(view.words, `Step ${index + 1}, row ${row}, column ${column}: ${short(value)} is ${how} the framed cells before it.`);
}

/** @type {(entry: Entry<{ results: Applied[] }, ChainCall>, at: number[], name: string) => Box} */
function windowBefore({ answer }, [row, column], name) {
  const pool = poolOf(name);
  if (pool) return { top: row * pool.size, left: column * pool.size, height: pool.size, width: pool.size };
  const [height, width] = answer.results[0].geometry?.kernel ?? [1, 1];
  return { top: row, left: column, height, width };
}

/** @type {(box: Box, source: number[]) => Box} */
function clipped({ top, left, height, width }, [rows, columns]) {
  return { top, left, height: Math.min(height, rows - top), width: Math.min(width, columns - left) };
}
