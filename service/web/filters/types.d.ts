// The types of filters/.

import type { Refusal } from "../state/api.js";
import type { Context, Field, Legend } from "../shared/types.d.ts";
import type { Network, NetworkReport } from "../state/types.d.ts";

export interface FiltersView {
  context: Context;
  network?: Network;
  /** the layer that is shown; null before the first frame */
  layer: string | null;
  /** the filter whose card is shown */
  chosen: number;
  tiles: { button: HTMLButtonElement; root: HTMLElement }[];
  isNew(...values: unknown[]): boolean;
  cardIsNew(...values: unknown[]): boolean;
  blanksAreNew(...values: unknown[]): boolean;
  picker: Field<HTMLSelectElement>;
  words: HTMLElement;
  tilesBox: HTMLElement;
  legend: Legend;
  card: HTMLElement;
}

/** The weights of a filter as one plane. */
export interface Mosaic {
  values: Float32Array;
  rows: number;
  columns: number;
  channels: number;
  /** how many channels lie in a row of it */
  across: number;
}

/** The report on a data set, or why there is none. */
export interface Reported {
  answer?: NetworkReport;
  error: Refusal | null;
}
