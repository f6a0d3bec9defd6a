// The types of numbers/. Files of types are for the checker alone (make lint): the service does not serve them.

/** Numbers that can be read by index. */
export type Values = ArrayLike<number>;

/** The least value and the greatest. */
export type Span = [number, number];

/** A theme of the page. */
export type Theme = "light" | "dark";

/** A colour scale. */
export type Scale = "diverging" | "pencil" | "viridis" | "light";

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

/** A picture of grey levels, or of red, green and blue of each pixel: rows x columns x channels, 0..255. */
export interface Levels {
  levels: Uint8Array;
  width: number;
  height: number;
  channels: number;
  /** whether 255 is ink on paper, else light */
  isInk: boolean;
}

/**
 * A layer, as GET /v1/models/{m} describes it. A linear layer has no kernel, stride and pads; nothing here reads them.
 * Where the picture's places are gone, what it lacks of these is taken from the passport (described in state/kind.js).
 */
export interface Layer {
  name: string;
  op: "conv" | "maxpool" | "avgpool" | "globalavgpool" | "add" | "mul" | "concat" | "linear";
  /** the names of its maps; the last are those after activation */
  maps: string[];
  /** the layers that it reads, of an adopted network: none is the picture. Of ours each reads the one before */
  reads?: string[];
  dilation?: [number, number];
  groups?: number;
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

/** How a picture in 0..1 becomes what a network was trained on, as its passport has it under "numbers". */
export interface Formed {
  order?: string;
  invert?: boolean;
  scale?: number;
  mean?: number[] | null;
  std?: number[] | null;
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
