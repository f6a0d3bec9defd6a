// The types of filter/.

import type { Context, Field, Grid, Legend, Radios } from "../shared/types.d.ts";
import type { Applying, Frame, Kernel, Model, Network, Preset, Slot } from "../state/types.d.ts";
import type { Theme } from "../numbers/types.d.ts";

/** A preset that is asked for, with its parameters where they are not its own. */
export interface PresetAsked {
  name: string;
  angle?: number;
  sigma?: number;
}

export interface FilterView {
  context: Context;
  presetAsked: PresetAsked | null;
  presetIsNew(...values: unknown[]): boolean;
  /** the learnt filter that is awaited */
  taking?: Slot | null;
  /** the preset that is in the editor */
  adopted?: Preset;
  parameters?: Preset["parameters"];
  editKernel(patch: Partial<Kernel>): void;
  editor: KernelEditor;
  response: { root: HTMLElement; draw(model: Frame): void };
  slot: { root: HTMLElement; draw(model: Model): void };
  preset: Field<HTMLSelectElement>;
  angle: Field<HTMLInputElement>;
  sigma: Field<HTMLInputElement>;
  rows: Field<HTMLInputElement>;
  columns: Field<HTMLInputElement>;
  bias: Field<HTMLInputElement>;
}

/** An error of a call: where in its body, and what. */
export interface Wrong {
  pointer: string;
}

/** The editor as the view sees it. */
export interface KernelEditor {
  root: HTMLElement;
  brush: HTMLElement;
  draw(kernel: Kernel, theme: Theme, errors: Wrong[]): void;
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

export interface ResponseView {
  context: Context;
  /** the cell that is pointed at */
  at: [row: number, column: number] | null;
  isNew(...values: unknown[]): boolean;
  change(patch: Partial<Applying>): void;
  root: HTMLElement;
  stride: Field<HTMLInputElement>;
  padding: Field<HTMLSelectElement>;
  activation: Field<HTMLSelectElement>;
  pool: Field<HTMLSelectElement>;
  flip: Radios;
  picture: HTMLCanvasElement;
  frame: HTMLElement;
  grid: Grid;
  legend: Legend;
  words: HTMLElement;
  sum: HTMLElement;
  pools: HTMLElement;
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
}
