// The types of network/.

import type { Layer } from "../numbers/types.d.ts";
import type { Context, Grid, Legend, Radios } from "../shared/types.d.ts";
import type { Model, Network } from "../state/types.d.ts";

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

/** How all layers stand side by side: of each, the side of a tile, and how many stand side by side. */
export interface Fit {
  chosen: number[];
  across: number[];
}

/** The ends of the row: the picture that goes in, and the ten digits that come out. */
export interface Ends {
  picture: HTMLElement;
  canvas: HTMLCanvasElement;
  digits: HTMLElement;
  rows: HTMLElement[];
  draw(model: Model): void;
  /** the digit whose filters are shown: the one pointed at, or the verdict */
  digit(): number | null;
  /** the filters that added most to that digit, or took most from it, as shares of the greatest */
  shares(most: number): { layer: string; filter: number; share: number }[];
}

export interface NetworkView {
  root: HTMLElement;
  ends: Ends;
  height: number;
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
  caption: HTMLElement;
  shiftWords: HTMLElement;
  scale: Radios;
  range: Radios;
  stage: Radios;
}

export interface Dock {
  root: HTMLElement;
  context: Context;
  isNew(...values: unknown[]): boolean;
  /** of its pictures, in pixels */
  side: number;
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
