// The types of network/.

import type { Layer } from "../numbers/types.d.ts";
import type { Context, Grid, Legend, Radios } from "../shared/types.d.ts";
import type { Network } from "../state/types.d.ts";

export interface Tile {
  button: HTMLButtonElement;
  canvas: HTMLCanvasElement;
}

/** One layer's maps on the page. */
export interface LayerView {
  info: Layer;
  rows: number;
  columns: number;
  isNew(...values: unknown[]): boolean;
  legend: Legend;
  tiles: Tile[];
  maps: HTMLElement;
  root: HTMLElement;
  /** maps side by side, once they are laid out */
  across?: number;
}

export interface NetworkView {
  context: Context;
  network?: Network;
  layers: LayerView[];
  /** of which width and height the layout is */
  size: string;
  width: number;
  /** whether the layers stand side by side */
  isWide: boolean;
  linesAreNew(...values: unknown[]): boolean;
  strip: HTMLElement;
  lines: SVGElement;
  shiftWords: HTMLElement;
  scale: Radios;
  range: Radios;
  stage: Radios;
}

export interface Dock {
  root: HTMLElement;
  context: Context;
  isNew(...values: unknown[]): boolean;
  title: HTMLElement;
  pin: HTMLElement;
  edit: HTMLElement;
  off: HTMLElement;
  grid: Grid;
  mapName: HTMLElement;
  picture: HTMLCanvasElement;
  field: HTMLElement;
  fieldName: HTMLElement;
  work: HTMLElement;
  formula: HTMLElement;
  todo: HTMLElement;
}
