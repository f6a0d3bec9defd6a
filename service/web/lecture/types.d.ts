// The types of lecture/.

import type { Tensor, Theme, Values } from "../numbers/types.d.ts";
import type { Context, Grid } from "../shared/types.d.ts";
import type { Input, Model, Want } from "../state/types.d.ts";

/** One of the nine: its name in the path, its sentence, what to do, and the file that draws it. */
export interface StepText {
  title: string;
  say: string;
  task: string;
  file: string;
}

/** What a file of a step gives. */
export interface Step {
  root: HTMLElement;
  draw(model: Model): void;
  /** what it asks now */
  wants(model: Model): Want[];
  /** whether what was to be done is so: by what is chosen and answered now, not by what was pressed */
  isDone(model: Model): boolean;
  /** another step is opened, or another view */
  leave?(): void;
}

/** What the steps share, beside the page's own context. */
export interface Room {
  context: Context;
  /** what goes through the filters of steps 4 to 6: "" is the digit, else the name of a test pattern */
  source: string;
  /** draw the step again */
  redraw(): void;
}

/** A step's own elements and choices are in its closure; this is what creates it. */
export type Create = (room: Room) => Step;

/** A map that is pointed at, and its numbers. */
export interface Shown {
  values: Values;
  rows: number;
  columns: number;
  theme: Theme;
  range: [number, number];
  scale?: "diverging" | "pencil";
}

/** A picture with a window on it. */
export interface Picked {
  root: HTMLElement;
  grid: Grid;
  window: HTMLElement;
}

/** What is asked of apply-filters by the steps. */
export interface Asked {
  filters: { preset?: string; size?: number; weights?: number[][]; bias?: number }[];
  pool?: { kind: string; size: number };
}

export type Source = { name: string; label: string; input: Input };

/** One picture's answer of POST /v1/patches, what is used of it. */
export interface Cut {
  patches: number[][][];
  grid: [number, number];
  count: number;
  unread: [number, number];
  corners: [number, number][];
}

/** One picture's answer of POST /v1/apply-filters, what is used of it. */
export interface Answer {
  filters: { response: number[][]; weights: number[][] }[];
}

/** One picture's answer of POST /v1/explain, method ledger, what is used of it. */
export interface Sums {
  layer: string;
  logits: number[];
  head_bias: number[];
  shares: { filters: number[][] };
}

/** The same, method deciding-set. */
export interface Deciding {
  filters: { found: boolean; size: number; members: number[]; rival: number; digit_after: number };
}

/** What the ten slots of step 9 show. */
export type SlotKind = "logits" | "powers" | "shares";

/** A row of its board: a peg, or several as one, and what it pushes each of the ten sums by. */
export interface PegRow {
  peg: number | null;
  isOff: boolean;
  name: string;
  pushes: number[];
}

export interface Board {
  root: HTMLElement;
  /** fallen: how many rows the ball has passed; maps: (pegs, rows, columns) */
  draw(shown: { rows: PegRow[]; fallen: number; maps: Tensor | null; theme: Theme }): void;
  /** its rows */
  count(): number;
}

export interface Slots {
  root: HTMLElement;
  formula: HTMLElement;
  draw(sums: number[], shares: number[], temperature: number, kind: SlotKind): void;
}
