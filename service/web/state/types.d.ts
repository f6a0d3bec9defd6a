// The types of state/: what is chosen (State), what was answered (Data), and what is asked (Request, Want, Entry).

import type { Field, Filters, Formed, Layer, Levels, Scale, Span, Tensor, Theme } from "../numbers/types.d.ts";

// ---- what is chosen ----

export type ViewName = "lecture" | "network" | "bench" | "why" | "what-if" | "filters" | "learn";

/** A place of the pad: right and down, 0..1. */
export type Point = number[];

/** A cell of a map. */
export interface Cell {
  layer: string;
  filter: number;
  row: number;
  column: number;
}

/** The place of a filter. */
export interface Slot {
  layer: string;
  filter: number;
}

/** The kernel of the editor; its numbers are as they were typed. */
export interface Kernel {
  rows: number;
  columns: number;
  cells: string[];
  bias: string;
}

/** What can be done to a filter. */
export type Action =
  | { action: "off" }
  | { action: "scale"; factor: number }
  | { action: "replace"; weights: number[][] | number[][][]; bias: number };

/** A change of one filter, as POST /v1/what-if takes it. */
export type Change = Slot & Action;

/** How the kernel of the editor slides over the picture, and how far it has come. */
export interface Bench {
  stride: number;
  padding: string;
  activation: string;
  /** lay the kernel on turned by half a turn: convolution, as mathematics has it */
  flip: boolean;
  /** the patch under the window, in reading order; -1 is the one that answers most, either way */
  place: number;
  /** whether the map is shown whole, or as far as the window has come */
  isWhole: boolean;
}

/** A named filter that is to become the kernel, with its parameters where they are not its own. */
export interface Named {
  name: string;
  size?: number;
  angle?: number;
  sigma?: number;
}

export interface FileChosen {
  kind: "file";
  name: string;
  bytes: ArrayBuffer;
  /** null where the browser cannot read it */
  image: ImageBitmap | null;
  /** one of many that a camera gives: the next comes at once */
  isLive?: boolean;
  /** what the network saw of it, once it is known */
  seen?: Levels;
}

/** The picture that is looked at. */
export type Chosen =
  | { kind: "strokes"; strokes: Point[][] }
  | { kind: "pattern"; name: string }
  | ({ kind: "levels" } & Levels)
  | FileChosen;

/** Everything that is chosen on the page. */
export interface State {
  picture: Chosen;
  /** whether the picture is the example of the page */
  example?: boolean;
  /** name@version; "" is the default */
  model: string;
  view: ViewName;
  /** of the lecture: 1..9 */
  step: number;
  /** of the training that is watched: 0 is before it */
  moment: number;
  /** the cell that the dock explains */
  at: Cell | null;
  pinned: boolean;
  scale: Scale;
  range: "layer" | "map" | "fixed";
  /** show maps before their activation */
  before: boolean;
  /** the layer that is shown of a network with more than there is room for; "" is some of each size */
  layer: string;
  /** what is drawn on, where the service does not see by itself which of both is ink */
  ground: "light" | "dark";
  /** pixels right and down */
  shift: number[];
  /** which digit of a picture with several is opened; null is the whole picture */
  part: number | null;
  kernel: Kernel;
  /** the named filter that the kernel is; null once it is edited */
  named: Named | null;
  bench: Bench;
  /** what is done to the map of the bench, step by step: "max2", "avg3", "own" or the name of a filter */
  chain: string[];
  /** where "put into the network" puts the kernel */
  slot: Slot;
  changes: Change[];
  /** the two classes that Why compares; null is the winner, and the runner-up */
  target: number | null;
  rival: number | null;
  /** parts of the page that are not shown */
  hide: string[];
  big: boolean;
  /** "" is the theme of the system */
  theme: Theme | "";
}

export interface Store {
  get(): State;
  set(patch: Partial<State>): void;
  subscribe(listener: (state: State, before: State) => void): void;
}

// ---- what is asked ----

/** How a network reads a picture. */
export type Form = Omit<Levels, "levels">;

/** What a network is. */
export interface Kind {
  form: Form;
  /** whether it reads the ten digits, one in each picture: the lecture and the reading of numbers are about these */
  isDigits: boolean;
  isAdopted: boolean;
  isColour: boolean;
  /** of its classes */
  labels: string[];
}

/** Levels as a network reads them, with `unit` the same in 0..1, a plane for each channel. */
export interface Input extends Ink {
  isInk: boolean;
  unit: Float32Array;
}

/** A picture that is sent as levels: of each pixel one, or red, green and blue. */
export interface Ink {
  levels: Uint8Array;
  width: number;
  height: number;
  channels: number;
  id: number;
  bytes?: undefined;
  name?: undefined;
}

/** A picture that is sent as its file. */
export interface Posted {
  bytes: ArrayBuffer;
  name: string;
  id: number;
}

export type Picture = Input | Ink | Posted;

/** The members of a JSON body. */
export type Members = Record<string, unknown>;

/** One call: everything that its answer depends on. */
export interface Request {
  method?: string;
  path: string;
  query?: Members;
  json?: Members;
  picture?: Picture;
  /** whether the answer is wanted as a blob, unread */
  raw?: boolean;
}

/** A call on a picture. */
export interface Call<P extends Picture = Picture> {
  method: string;
  path: string;
  query: Members;
  json?: Members;
  picture: P;
}

/** A request as one JSON body, or none, with its picture inside; or the file that holds the picture. */
export interface Plain {
  method: string;
  url: string;
  body: (Members & { format?: string }) | null;
  file: string | null;
}

export interface WantOptions {
  /** a long call: it may take a minute, and it is broken off when another is asked */
  heavy?: boolean;
  /** nothing is said of it when it fails */
  isOptional?: boolean;
  /** the verdict that this one is compared with */
  before?: Verdict;
}

/** A call for a lane; its key is what makes its answer differ. */
export interface Want<R extends Request = Request> extends WantOptions {
  lane: string;
  key: string;
  request: R;
}

/** An answer, and what was asked. */
export interface Entry<Answer, R extends Request = Request> {
  want: Want<R>;
  answer: Answer;
}

/** How the last answer of a lane stands to what it was asked last. */
export interface LaneStanding {
  want: Want | null;
  isSettled: boolean;
  error: import("./api.js").Refusal | null;
  /** ms since something new was asked, or something old answered */
  waited: number;
  /** ms since the last answer */
  age: number;
}

/** What Lanes knows of one lane. */
export interface Lane {
  want: Want | null;
  key: string | null;
  answered: string | null;
  error: import("./api.js").Refusal | null;
  running: { want: Want; controller: AbortController } | null;
  waiting: Want | null;
  failed: Want | null;
  resting: ReturnType<typeof setTimeout> | null;
  epoch: number;
  rest: number;
  spacing: number;
  since: number;
  answeredAt: number;
}

/** What Lanes reports: an answer, or that there was none. */
export interface Report {
  lane: string;
  want: Want;
  answer?: unknown;
}

// ---- what was answered ----

export interface Problem {
  title?: string;
  detail?: string;
  errors?: { pointer: string; detail: string }[];
}

/** A network, as GET /v1/models/{m} describes it. */
export interface Network {
  name: string;
  version: string;
  layers: Layer[];
  passport: {
    input: { shape: number[]; prepare?: "digit" | "picture" };
    labels: string[];
    layers?: Partial<Layer>[];
    /** of an adopted network */
    numbers?: Formed;
    calibration?: { temperature?: number };
  };
  card?: Card;
  /** of an adopted network: every call, and why it does not answer it, or "" */
  calls?: Record<string, string>;
}

/** A share that was measured, and how far it may be off: half of its 95 % interval. */
export interface Measured {
  name: string;
  value: number;
  error: number;
}

/** What is told of a network beside its layers: GET /v1/models/NAME, `card`. */
export interface Card {
  purpose: string;
  data: string;
  figures: Measured[];
  confuses: { digit: number; read_as: number; count: number; of: number }[];
  failures: Measured[];
  chosen: string;
}

/** One line of GET /v1/models. */
export interface Listed {
  kind?: string;
  /** of an adopted network: [channels, rows, columns], and how many classes */
  input?: number[];
  classes?: number;
  name: string;
  version: string;
  default?: boolean;
  accuracy?: { test?: number };
}

export interface Verdict {
  /** of a network of digits alone; other views than theirs go by the class */
  digit: number;
  class: number;
  label: string;
  confidence: number;
  probabilities: number[];
  logits: number[];
  doubt?: number;
  novelty?: number;
  is_digit?: boolean;
  prepared?: { image?: string; box: [number, number, number, number] };
}

/** One digit of several; `best` and `reason` where none is answered for. */
export interface ReadDigit {
  digit: number | null;
  best?: number;
  reason?: "unsure" | "touching" | "cut_by_edge" | "not_a_digit";
  confidence: number;
  box: [number, number, number, number];
  prepared: { image: string };
}

/** One picture's answer of POST /v1/read. */
export interface Reading {
  text: string;
  digits: ReadDigit[];
}

export type ReadEntry = Entry<Results<Reading>, Call>;

export type Arrays = Record<string, Tensor>;

/** A matrix in JSON. */
export type Rows = number[][];

export interface AppliedFilter {
  /** rows, or the rows of each map */
  response: Rows | Rows[];
  weights: Rows;
  /** rows and columns, after the number of maps where there are several */
  shape: number[];
}

/** One picture's answer of POST /v1/apply-filters. */
export interface Applied {
  filters: AppliedFilter[];
  geometry: {
    kernel: [number, number];
    stride: [number, number];
    pads: [number, number, number, number];
    patches: [number, number];
    unread: [number, number];
  };
}

/** One step of POST /v1/apply-filters, as this page asks for it. */
export interface ApplyStep {
  filters?: { weights?: Rows; bias?: number; preset?: string; name?: string }[];
  stride?: number;
  padding?: string;
  activation?: string;
  pool?: { kind: string; size: number };
  orientation?: string;
}

/** A call of POST /v1/apply-filters with one step. */
export interface ApplyCall extends Call<Input> {
  json: { prepare: unknown; filters: { weights: Rows; bias: number; name: string }[] } & Required<
    Pick<ApplyStep, "stride" | "padding" | "activation">
  > &
    Pick<ApplyStep, "orientation">;
}

/** The same with several. */
export interface ChainCall extends Call<Input> {
  json: { prepare: unknown; stages: ApplyStep[] };
}

/** One picture's answer of POST /v1/explain, method ledger. */
export interface Ledger {
  target: number;
  rival: number;
  layer: string;
  logits: number[];
  /** what the shares and the base are of, where not of all classes */
  classes?: number[];
  base: number[];
  /** whether removing a filter costs its share (global), or shares add up on this picture alone (gates) */
  exactness: "global" | "gates";
  receptive_field: Field;
  shares: { filters: Rows };
  margin: { value: number; base: number; residual: number; shares: { filters: number[]; places: Rows } };
}

/** The same, method pixels. */
export interface Pixels {
  margin: {
    value: number;
    residual: number;
    head_bias: number;
    shares: { pixels: Rows; biases: Record<string, number> };
  };
}

/** The same, method deciding-set. */
export interface DecidingSet {
  target: number;
  layer: string;
  filters: { found: boolean; size: number; members: number[]; class_after: number };
  places: { found: boolean; size: number };
}

/** A named filter. */
export interface Preset {
  name: string;
  weights: Rows;
  shape: [number, number];
  parameters: Record<string, { value: number }>;
}

/** What can be said of a filter from its weights. */
export interface Card {
  label: string;
  sum: number;
  positive_sum: number;
  negative_sum: number;
  output_range?: [number, number] | null;
  orientation?: { angle: number; coherence: number } | null;
  separability?: number | null;
  symmetry?: { horizontal: number; vertical: number } | null;
  gabor?: { r_squared: number; wavelength: number } | null;
}

export interface CardedFilter {
  index: number;
  weights: Rows | Rows[];
  bias: number;
  card: Card;
}

export interface Cards {
  layer: string;
  filters: CardedFilter[];
}

/** What a data set says of a filter. */
export interface FilterReport {
  mean: number;
  max: number;
  zeros: number;
  favourite: number;
  d_prime: number;
  selectivity: number;
  /** of a network of digits */
  off?: { accuracy: number };
  class_means: number[];
  top: { image: number; label: number; value: number }[];
}

export interface NetworkReport {
  data: { name: string; images: number };
  layers: { name: string; filters: FilterReport[] }[];
  thumbnails?: Record<string, string>;
  /** of an adopted network: the names of the pictures in their folder */
  pictures?: string[];
}

export interface Results<Result> {
  results: Result[];
}

export interface VerdictEntry extends Entry<Results<Verdict>> {
  result: Verdict;
}

/** A map over the picture: POST /v1/explain, method cam, occlusion or rise. */
export interface Covered {
  method: string;
  target: number;
  map: Rows;
  /** of rise: what is left of the map once the mean over all covers is taken off */
  centred?: { map: Rows };
  layer?: string;
  count?: number;
  masks?: number;
  window?: [number, number];
  standard_error?: Rows;
}

/** The verdict on a changed network or a shifted picture; its want has the one before. */
export interface EditedEntry extends VerdictEntry {
  /** of an adopted network, the answer's own: of the very numbers that were changed on */
  before?: Verdict;
  want: Want & { before: Verdict };
}

export interface MapsEntry extends Entry<Arrays, Call<Input>> {
  /** the answer without its batch of one */
  arrays: Arrays;
}

type Answered<Answer, R extends Request = Call<Input>> = Entry<Answer, R> | null;

/** What was answered: by the name of its lane the last answer of each; null where it no longer counts. */
export interface Answers {
  verdict?: VerdictEntry | null;
  edited?: EditedEntry | null;
  maps?: MapsEntry | null;
  base_maps?: MapsEntry | null;
  /** of the lecture, which knows what each of its lanes was asked */
  [lane: `lecture/${string}`]: Entry<unknown> | null | undefined;
  /** the same of the view of learning */
  [lane: `learn/${string}`]: Entry<unknown> | null | undefined;
  number?: ReadEntry | null;
  presets?: Answered<{ filters: { name: string; shape: [number, number] }[] }, Request>;
  preset?: Answered<Preset, Request>;
  response?: Answered<Results<Applied>, ApplyCall>;
  /** of the bench's chain, by the number of the step */
  [step: `step-${number}`]: Answered<Results<Applied>, ChainCall> | undefined;
  ledger?: Answered<Results<Ledger>>;
  /** the same for the network's row, of the changed network */
  ends?: Answered<Results<Ledger>>;
  places?: Answered<Results<Ledger>>;
  pixels?: Answered<Results<Pixels>>;
  deciding?: Answered<Results<DecidingSet>>;
  covered?: Answered<Results<Covered>>;
  cards?: Answered<Cards, Request>;
  report?: Answered<NetworkReport, Request>;
}

export interface Data extends Answers {
  /** what the network saw of the picture */
  base: Input | null;
  /** the same, shifted: what every view is about */
  input: Input | null;
  /** of which base and by which shift `input` is */
  movedFrom?: Input | null;
  movedBy?: number[];
  /** by layer, the least and the greatest value seen so far */
  fixed: Record<string, Span>;
}

/** The filters that have come, by layer. */
export type Weights = Record<string, Filters>;

/** What is drawn in one frame. */
export interface Frame {
  state: State;
  data: Data;
  weights: Weights;
  theme: Theme;
  isEmpty: boolean;
}

/** A frame with the network in it; views are drawn only then. */
export interface Model extends Frame {
  network: Network;
}
