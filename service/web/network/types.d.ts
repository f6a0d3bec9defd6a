// The types of network/.

import type { Layer } from "../numbers/types.d.ts";
import type { Context, Grid, LayerChoice, Legend, Radios } from "../shared/types.d.ts";
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

/** The ends of the row: the picture that goes in, and the classes that come out. */
export interface Ends {
  picture: HTMLElement;
  canvas: HTMLCanvasElement;
  classes: HTMLElement;
  draw(model: Model): void;
  /** the class whose filters are shown: the one pointed at, or the verdict */
  label(): number | null;
  /** its row, where it is shown */
  row(): HTMLElement | null;
  /** the filters that added most to that class, or took most from it, as shares of the greatest */
  shares(most: number): { layer: string; filter: number; share: number }[];
}

export interface NetworkView {
  root: HTMLElement;
  /** of the network that is shown */
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
  /** for the digits, and for other classes */
  captions: HTMLElement[];
  shiftWords: HTMLElement;
  /** which layer is shown, where there is no room for all */
  chosen: HTMLElement;
  choice?: LayerChoice;
  scale: Radios;
  range: Radios;
  stage: Radios;
  /** of which choice the layers are */
  layer?: string;
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
