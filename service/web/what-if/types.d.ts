// The types of what-if/.

import type { Layer } from "../numbers/types.d.ts";
import type { Context, LayerChoice } from "../shared/types.d.ts";
import type { Network } from "../state/types.d.ts";

/** One filter's switch. */
export interface Switch {
  button: HTMLButtonElement;
  canvas: HTMLCanvasElement;
  root: HTMLElement;
}

export interface LayerSwitches {
  info: Layer;
  tiles: Switch[];
  root: HTMLElement;
  all: HTMLElement;
}

export interface WhatIfView {
  context: Context;
  network?: Network;
  layers: LayerSwitches[];
  /** of which choice the layers are */
  chosen?: string;
  chosenBox: HTMLElement;
  choice?: LayerChoice;
  isNew(...values: unknown[]): boolean;
  tableIsNew(...values: unknown[]): boolean;
  switches: HTMLElement;
  list: HTMLElement;
  table: HTMLElement;
  headline: HTMLElement;
}
