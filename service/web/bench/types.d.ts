// The types of bench/.

import type { Context, Field, Grid, Legend } from "../shared/types.d.ts";
import type { Applied, Kernel, Model, Network, Preset, Slot, State } from "../state/types.d.ts";
import type { Box, Theme } from "../numbers/types.d.ts";

export interface BenchView {
  context: Context;
  filtersAreNew(...values: unknown[]): boolean;
  /** the learnt filter that is awaited */
  taking?: Slot | null;
  /** the named filter that is in the editor */
  adopted?: Preset;
  parameters?: Preset["parameters"];
  editKernel(patch: Partial<Kernel>): void;
  editor: KernelEditor;
  motion: Motion;
  stage: Stage;
  chain: { root: HTMLElement; draw(model: Model, stage: Stage): void };
  slot: { root: HTMLElement; draw(model: Model): void };
  filter: Field<HTMLSelectElement>;
  angle: Field<HTMLInputElement>;
  sigma: Field<HTMLInputElement>;
  rows: Field<HTMLInputElement>;
  columns: Field<HTMLInputElement>;
  stride: Field<HTMLInputElement>;
  padding: Field<HTMLSelectElement>;
  activation: Field<HTMLSelectElement>;
  bias: Field<HTMLInputElement>;
  flip: HTMLElement;
}

/** The cells of the map: how many, how many in a row, and which one the window is at. */
export interface Places {
  count: number;
  columns: number;
  place: number;
}

export interface Motion {
  root: HTMLElement;
  draw(state: State, applied: Applied | undefined): void;
  play(): void;
  /** stop, and put the window at a place */
  go(place: number): void;
}

/** Sides in pixels: of the picture and the map; of a cell of the products, of the patch, and of the editor. */
export interface Sides {
  arrangement: "abreast" | "below" | "stacked";
  picture: number;
  map: number;
  cell: number;
  factor: number;
  editor: number;
}

/** The picture with its padding, and how the window is laid on it. */
export interface Placed {
  rows: number;
  columns: number;
  patches: [number, number];
  kernel: [number, number];
  stride: [number, number];
}

export interface Stage {
  root: HTMLElement;
  /** how much room there is */
  fit(width: number): void;
  /** the side of a cell of the editor that there is room for */
  draw(model: Model): number;
  grid(): Places;
  sides(): Sides;
  /** frame a part of the map, of rows x columns cells; null frames nothing */
  frameIn(box: Box | null, rows: number, columns: number): void;
}

export interface StageView {
  context: Context;
  motion: Motion;
  isNew(...values: unknown[]): boolean;
  width: number;
  sides?: Sides;
  places: Places;
  placed?: Placed;
  root: HTMLElement;
  row: HTMLElement;
  count: HTMLElement;
  rest: HTMLElement;
  picture: HTMLCanvasElement;
  window: HTMLElement;
  edges: HTMLElement[];
  corner: HTMLElement;
  grid: Grid;
  /** the part of the map that the next step reads */
  inner: HTMLElement;
  legend: Legend;
  patch: HTMLElement;
  products: HTMLElement;
  formula: HTMLElement;
}

export interface StepView {
  root: HTMLElement;
  grid: Grid;
  inner: HTMLElement;
  legend: Legend;
}

export interface ChainView {
  context: Context;
  isNew(...values: unknown[]): boolean;
  filtersAreNew(...values: unknown[]): boolean;
  steps: StepView[];
  /** the cell that is pointed at, and of which step */
  at: { index: number; row: number; column: number } | null;
  add: HTMLSelectElement;
  remove: HTMLElement;
  words: HTMLElement;
  list: HTMLElement;
  root: HTMLElement;
}

/** An error of a call: where in its body, and what. */
export interface Wrong {
  pointer: string;
}

/** The editor as the view sees it. */
export interface KernelEditor {
  root: HTMLElement;
  brush: HTMLElement;
  /** side: of a cell, in pixels */
  draw(kernel: Kernel, theme: Theme, errors: Wrong[], side: number): void;
}

/** The editor from inside. */
export interface Editor {
  edit(patch: Partial<Kernel>): void;
  kernel: Kernel | null;
  brushValue: number;
  /** what the pointer paints with while it is down */
  painting: string | null;
  /** what was typed into the cell so far */
  typed: string;
  /** the cell that has the focus */
  here: number;
  cells: HTMLElement[];
  /** of a cell, in pixels */
  side: number;
  root: HTMLElement;
  brush: HTMLElement;
}

export interface SlotView {
  context: Context;
  take(layer: string, filter: number): void;
  /** the network whose filters are listed */
  slotsOf?: Network;
  slot: Field<HTMLSelectElement>;
  put: HTMLElement;
  out: HTMLElement;
  takeLearnt: HTMLElement;
  outcome: HTMLElement;
  controls: HTMLElement;
}
