// The types of learn/.

/** The weights of the lecture's network, flat: 20 filters of 7 x 7, and 10 x 500 of the linear layer. */
export interface LessonNetwork {
  filters: Float64Array;
  bias: Float64Array;
  head: Float64Array;
  headBias: Float64Array;
}

/** How the loss changes with each weight, and the loss. */
export interface Gradients extends LessonNetwork {
  loss: number;
}

/** Pictures of 28 x 28 one after the other, 0 = paper and 1 = ink, and what digit each is. */
export interface Lesson {
  images: Float32Array;
  labels: Uint8Array;
}

/** What the worker is told: to learn from one picture more, to begin anew, or to go on for a slice. */
export type ToWorker = { kind: "add"; digit: number; image: Float32Array } | { kind: "anew" } | { kind: "go" };

/** How far the worker has come. */
export interface Told {
  seen: number;
  /** of training, without the time between slices */
  milliseconds: number;
  /** the mean of the last slice; NaN where there was none */
  loss: number;
  /** the share of the drawings kept apart that is read right */
  accuracy: number;
  network: LessonNetwork;
  drawn: number;
  apart: number;
}

export interface CurvePoint {
  seen: number;
  right: number;
  loss: number;
}

export interface Curve {
  root: HTMLElement;
  clear(): void;
  add(seen: number, share: number, loss: number): void;
  /** with a mark at one of the points, the last unless told */
  draw(at?: number): void;
}

/** GET /v1/models/{m}/history: the kept steps of a training. */
export interface History {
  steps: { step: number; images: number; loss: number; accuracy: number }[];
}
