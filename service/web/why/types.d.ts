// The types of why/.

import type { Context, Field, Grid, Legend } from "../shared/types.d.ts";
import type { Change, Input, Ledger, Model, Network, Pixels, Want } from "../state/types.d.ts";
import type { Theme } from "../numbers/types.d.ts";

/** One peg: a filter, or the smaller ones together, and its share of the margin. */
export interface Peg {
  share: number;
  filter?: number;
  isOff?: boolean;
  name?: string;
}

/** A line of the pachinko: the bias or a peg, and where the ball is before it and after it. */
export interface Row extends Peg {
  name: string;
  from: number;
  to: number;
}

/** What changes where parts of the picture are covered. */
export interface Covering {
  root: HTMLElement;
  wants(network: Network, input: Input, target: number, changes: Change[]): Want[];
  /** what of the view the network does not answer; edits: the layer whose filters the pegs switch, if there is one */
  words(network: Network, ledger: Ledger | undefined, changes: Change[], edits: string | null): string;
  draw(model: Model): void;
}

export interface WhyView {
  root: HTMLElement;
  context: Context;
  isNew(...values: unknown[]): boolean;
  areShareNew(...values: unknown[]): boolean;
  placesAreNew(...values: unknown[]): boolean;
  isDecidingAsked: boolean;
  /** whether every peg is shown */
  all: boolean;
  gridAt: [row: number, filter: number];
  /** of which the parts are that are shown */
  network?: Network;
  /** what of this view the network does not answer */
  refused: HTMLElement;
  /** of an adopted network, once it has come */
  covering?: Covering;
  coveringBox: HTMLElement;
  /** for the digits, and for other classes */
  captions: HTMLElement[];
  pegs: HTMLElement;
  shares: HTMLElement;
  pushed: HTMLElement;
  credited: HTMLElement;
  target: Field<HTMLSelectElement>;
  rival: Field<HTMLSelectElement>;
  list: HTMLElement;
  ball: HTMLElement;
  total: HTMLElement;
  headline: HTMLElement;
  drop: HTMLElement;
  more: HTMLElement;
  deciding: HTMLElement;
  flip: HTMLElement;
  controls: HTMLElement;
  places: HTMLCanvasElement;
  under: HTMLCanvasElement;
  ink: HTMLCanvasElement;
  placesLegend: Legend;
  inkLegend: Legend;
  inkWords: HTMLElement;
  placesWords: HTMLElement;
  placesFigure: HTMLElement;
  grid: Grid;
  gridWords: HTMLElement;
  gridLegend: Legend;
  offWords: HTMLElement;
  /** beside each part that is of an adopted network without its changes, that it is */
  unchanged: HTMLElement[];
  classes: HTMLElement;
  /** a value as a place, in percent of the width */
  scale(value: number): number;
  rows?: Row[];
  inkOf?: Pixels;
  inkTheme?: Theme;
}
