// The types of numbers/. Files of types are for the checker alone (make lint): the service does not serve them.

/** Numbers that can be read by index. */
export type Values = ArrayLike<number>;

/** The least value and the greatest. */
export type Span = [number, number];

/** A theme of the page. */
export type Theme = "light" | "dark";

/** A colour scale. */
export type Scale = "diverging" | "pencil" | "viridis";

/** An array of any shape, row by row. */
export interface Tensor {
  shape: number[];
  data: Float32Array | Float64Array | Uint8Array | Int32Array;
}

/** A rectangle of cells, counted from the top left; it may lie outside of what it is laid on. */
export interface Box {
  top: number;
  left: number;
  height: number;
  width: number;
}

/** One map inside a tensor: its rows and columns, and where its first value is. */
export interface Plane {
  rows: number;
  columns: number;
  start: number;
}

/** The filters of one layer: weights (K, C, kh, kw) and biases (K). */
export interface Filters {
  weights: Tensor;
  biases: Tensor;
}

/** A layer, as GET /v1/models/{m} describes it. A linear layer has no kernel, stride and pads; nothing here reads them. */
export interface Layer {
  name: string;
  op: "conv" | "maxpool" | "avgpool" | "linear";
  shape: number[];
  in_shape: number[];
  kernel: [number, number];
  stride: [number, number];
  pads: [number, number, number, number];
  activation: string;
  parameters: number;
  receptive_field: Field;
}

/** What a cell reads of the picture: the size of its box, the step from cell to cell, and where the first begins. */
export interface Field {
  size: [number, number];
  jump: [number, number];
  start: [number, number];
}

/** One channel's part of a sum. */
export interface Part {
  channel: number;
  patch: Float32Array;
  padding: Set<number>;
  products: Float32Array;
  sum: number;
  weights: ArrayLike<number> & Iterable<number>;
}

/** What is needed of a verdict to know its ten shares. */
export interface Probabilities {
  probabilities: number[];
  logits: number[];
  doubt?: number;
}
