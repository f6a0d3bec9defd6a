// The types of shared/: elements and their parts, and what a view is given (Context) and gives (View).

import type { Layer, Scale, Span, Theme, Values } from "../numbers/types.d.ts";
import type { Lanes } from "../state/api.js";
import type {
  Cell,
  Chosen,
  Data,
  Model,
  Network,
  Request,
  Slot,
  State,
  Store,
  ViewName,
  Want,
  Weights,
} from "../state/types.d.ts";

/** The sentence that says how an open view stands: why, and the rest. */
export interface Sentence {
  root: HTMLElement;
  reason: HTMLElement;
  rest: HTMLElement;
}

/** What may stand inside an element; null and undefined are left out. */
export type Child = Node | string | null | undefined;

/** A listener; which kind of event it takes follows from its name, which a type of names and values cannot say. */
type Listener = (event: any) => void;

/** A property, an attribute or, with a name that begins with "on", a listener. */
export type Property = string | number | boolean | null | undefined | Listener;

export type Properties = Record<string, Property>;

/** The value of a choice and its label, or a text that is both. */
export type Choice = readonly string[] | string;

/** A control and the label that it stands in. */
export interface Field<Control extends HTMLElement> {
  box: Control;
  field: HTMLElement;
}

/** The choice of a layer. */
export interface LayerChoice {
  draw(network: Network, state: State): void;
}

export interface Radios {
  field: HTMLElement;
  choose(value: string): void;
}

export interface Bounds {
  min: number;
  max: number;
  step?: number | "any";
  value: number;
}

export interface Legend {
  root: HTMLElement;
  draw(scale: Scale, theme: Theme, range: Span, words: string): void;
}

/** A matrix to draw with its numbers: rows x columns `values`, `cell` pixels each. */
export interface Matrix {
  values: Values;
  rows: number;
  columns: number;
  cell: number;
  scale: Scale;
  theme: Theme;
  range: Span;
  label: string;
  /** indices to frame */
  marks?: Set<number> | null;
  /** indices that are padding */
  muted?: Set<number>;
  digits?: boolean;
}

/** What is multiplied cell by cell, rows x columns each, and what comes out. */
export interface Multiplication {
  patch: Values;
  /** indices of the patch that are padding */
  padding?: Set<number>;
  weights: Values;
  products?: Values | null;
}

/** What a grid calls. */
export interface GridEvents {
  move(row: number, column: number): void;
  pin?(row: number, column: number): void;
  page?(step: number): void;
  leave?(): void;
}

export interface Grid {
  root: HTMLElement;
  canvas: HTMLCanvasElement;
  rows: number;
  columns: number;
  at: number[];
  mark(rows: number, columns: number, at: number[], words: string): void;
  name(text: string): void;
}

/** How what a lane was answered stands to what is asked, and whether that is to be told. */
export type Told = import("../state/types.d.ts").LaneStanding & { isLate: boolean };

/** The pad, as the parts of the page see it. */
export interface PadTools {
  undo(): void;
  /** what is drawn, as a picture to post */
  ink(): { levels: Uint8Array; width: number; height: number; channels: number };
  /** the same strokes by a finer pen, NUMBER_SIDE squared: where several digits share the pad, each of them is small */
  fine(): Uint8Array;
}

/** What every part of the page is given. */
export interface Context {
  store: Store;
  data: Data;
  lanes: Lanes;
  weights: Weights;
  pad: PadTools;
  /** change what is chosen */
  set(patch: Partial<State>): void;
  /** draw a frame soon */
  redraw(): void;
  /** the network that is shown; views are made and called only when there is one */
  network(): Network;
  layer(name: string): Layer | undefined;
  /** explain a cell, unless another is pinned; always: even then */
  hover(at: Cell, always?: boolean): void;
  /** let go of a pinned cell */
  leave(): void;
  pin(at: Cell, moveFocus?: boolean): void;
  /** [row, column] where a map answers most */
  peak(layer: string, filter: number): number[];
  /** the cell of the first layer that answers most */
  strongest(): Cell | null;
  clear(): void;
  /** look at another picture, and let "Undo" bring the one before back, unless isNoted is false */
  show(picture: Chosen, isNoted?: boolean): void;
  /** the live camera */
  film(): Promise<void>;
  openFile(file: File): Promise<void>;
  /** ask everything again, with another key */
  restart(): void;
  retry(): void;
  example(): void;
  editFilter(slot: Slot): Promise<void>;
  go(view: ViewName): void;
}

/** What can be taken away of a panel: the request that was sent, as code, and its answer in these formats. */
export interface Take {
  name: string;
  record(): Request | null | undefined;
  formats: string[];
}

/** What a view gives: draw() for each frame that it is open in, and what it needs to be asked. */
export interface View {
  takes: Take[];
  draw(model: Model): void;
  wants(model: Model): Want[];
  /** of the view "filter": take a learnt filter into the editor */
  take?(layer: string, filter: number): void;
}
