// The types of rail/.

import type { Levels } from "../numbers/types.d.ts";
import type { Form, Frame, Input, Network, Picture, Point, ReadEntry, Want } from "../state/types.d.ts";
import type { PadTools } from "../shared/types.d.ts";

/** A picture that is shown on the pad instead of strokes: an image or levels, and the box of what is read in it. */
export interface Shown {
  image?: ImageBitmap | null;
  levels?: Levels;
  box?: [number, number, number, number];
}

/** What a pad calls. */
export interface PadEvents {
  /** isClearing: rather than drawing */
  begin(isClearing?: boolean): void;
  ink(isFinished: boolean): void;
  undo(): void;
  redo(): void;
}

/** The pad: what is drawn on it, and what can be done to it. */
export interface Pad extends PadTools {
  strokes: Point[][];
  image: Shown | null;
  /** where the keys have the pen */
  pen: Point;
  /** the stroke that is being drawn */
  drawing: Point[] | null;
  focused: boolean;
  /** whether it takes no ink: for a network of colour it shows pictures */
  isOff: boolean;
  /** whether light is drawn on a dark ground */
  isDark: boolean;
  /** the picture that playground.js showed last */
  shown?: unknown;
  /** take the shape of what a network reads */
  reads(form: Form, isOff: boolean, isDark: boolean): void;
  show(strokes: Point[][]): void;
  showImage(image: Shown): void;
  redraw(): void;
  begin(point: Point): void;
  start(point: Point): void;
  extend(point: Point): void;
  end(): void;
  redo(): void;
  clear(): void;
}

/** Several digits, read as a number. */
export interface NumberRow {
  wants(network: Network): Want[];
  /** another picture, or none: what was read is forgotten */
  take(picture: Picture | null): void;
  /** an answer; whether there are several digits, and they are shown */
  keep(entry: ReadEntry): Promise<boolean>;
  /** the digit that is opened, as the network reads it */
  opened(part: number | null): Input | null;
  /** the first digit that is answered for */
  first(): number | null;
  spoken(): string | null;
  draw(model: Frame): void;
}

/** The live camera. */
export interface Camera {
  start(): Promise<void>;
  draw(model: Frame): void;
}

/** One class's bar. */
export interface Bar {
  root: HTMLElement;
  name: HTMLElement;
  fill: HTMLElement;
  tick: HTMLElement;
  share: HTMLElement;
}

export interface DoubtBar {
  root: HTMLElement;
  fill: HTMLElement;
  share: HTMLElement;
}
