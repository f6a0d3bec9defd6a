// The types of window/.

import type { Context, Field, Grid, Legend } from "../shared/types.d.ts";
import type { Sliding } from "../state/types.d.ts";

export interface WindowView {
  context: Context;
  /** the timer of "Play"; 0 while it stands still */
  playing: ReturnType<typeof setInterval> | 0;
  /** how many patches there are; 0 before the answer */
  total: number;
  isNew(...values: unknown[]): boolean;
  sheetIsNew(...values: unknown[]): boolean;
  change(patch: Partial<Sliding>): void;
  kernel: Field<HTMLSelectElement>;
  size: Field<HTMLInputElement>;
  stride: Field<HTMLInputElement>;
  padding: Field<HTMLSelectElement>;
  scrub: HTMLInputElement;
  play: HTMLElement;
  step: HTMLElement;
  count: HTMLElement;
  rest: HTMLElement;
  picture: HTMLCanvasElement;
  window: HTMLElement;
  edges: HTMLElement;
  edgesBelow: HTMLElement;
  grid: Grid;
  legend: Legend;
  sum: HTMLElement;
  sheet: HTMLCanvasElement;
  picked: HTMLElement;
}
