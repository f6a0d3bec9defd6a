// The only file that asks the service anything.
//
// A panel has a lane. A lane has at most one request on its way and one that waits; a newer one replaces the one that
// waits. So a slow answer never holds up the newest drawing, and answers of one lane cannot overtake each other.

import { base64, pngUrl, readNpz, writeNpy } from "../numbers/npy.js";

/** @import { Call, Lane, LaneStanding, Members, Picture } from "./types.d.ts" */
/** @import { Problem, Report, Request, Want, WantOptions } from "./types.d.ts" */

const LIMIT_MS = 10000;
const RETRY_MS = 3000;
const KNOWN = 12; // answers that are kept for other lanes

/** A problem+json answer, or no answer at all (status 0). */
export class Refusal extends Error {
  /**
   * @param {number} status
   * @param {Problem} problem
   * @param {number} retrySeconds
   */
  constructor(status, problem, retrySeconds = 0) {
    super(problem.detail || problem.title || "");
    this.status = status;
    this.problem = problem;
    this.retrySeconds = retrySeconds;
  }
}

/**
 * Whether the same call may be answered if it is sent again.
 * @type {(refusal: { status: number }) => boolean}
 */
export function isPassing({ status }) {
  return [0, 429, 503].includes(status);
}

/**
 * The address of a request record {method, path, query}.
 * @type {(request: Request) => string}
 */
export function address({ path, query = {} }) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return text ? `${path}?${text}` : path;
}

/**
 * Send a request record {method, path, query, picture, json} and read its answer: JSON, npz arrays or a blob.
 * @type {(request: Request, signal?: AbortSignal) => Promise<unknown>}
 */
export async function send(record, signal) {
  /** @type {Record<string, string>} */
  const headers = {};
  const key = sessionStorage.getItem("filterscope-key");
  if (key) headers.Authorization = `Bearer ${key}`;
  const body = bodyOf(record, headers);
  try {
    const response = await fetch(address(record), { method: record.method || "GET", headers, body, signal });
    if (response.ok) return await answerOf(response, record);
    throw new Refusal(response.status, await problemOf(response), Number(response.headers.get("Retry-After")) || 0);
  } catch (error) {
    if (error instanceof Refusal || isAbort(error)) throw error;
    throw new Refusal(0, { detail: "" }); // no answer, or one that broke off
  }
}

/** @type {(error: unknown) => boolean} */
function isAbort(error) {
  return error instanceof Error && error.name === "AbortError";
}

/** @type {(response: Response, request: Request) => Promise<unknown>} */
async function answerOf(response, { raw }) {
  if (raw) return response.blob();
  const kind = response.headers.get("Content-Type") || "";
  if (kind.includes("npz")) return readNpz(await response.arrayBuffer());
  return kind.includes("json") ? response.json() : response.blob();
}

/** @type {(request: Request, headers: Record<string, string>) => BodyInit | undefined} */
function bodyOf({ picture, json }, headers) {
  if (!picture) return json ? JSON.stringify(json) : undefined;
  if (json) {
    headers["Content-Type"] = "application/json";
    return JSON.stringify({ image: dataUrl(picture), ...json });
  }
  if (picture.bytes) {
    headers["Content-Type"] = "application/octet-stream";
    return picture.bytes;
  }
  headers["Content-Type"] = "application/x-npy";
  const { levels, height, width, channels } = picture;
  return writeNpy(levels, channels > 1 ? [height, width, channels] : [height, width]);
}

/** @type {(picture: Picture) => string} */
function dataUrl(picture) {
  return picture.bytes ? base64(new Uint8Array(picture.bytes)) : pngUrl(picture.levels, picture.width, picture.height);
}

/** @type {(response: Response) => Promise<Problem>} */
async function problemOf(response) {
  try {
    return await response.json();
  } catch {
    return { detail: `the service answered ${response.status}` };
  }
}

/**
 * The lanes of the page. report({lane, want, answer}) is called for every answer, and report({lane, want}) for every
 * refusal, which standing(lane) tells until the lane is answered again.
 * A want is {lane, key, request, heavy}; one with the key asked last is not asked again.
 */
export class Lanes {
  /** @type {Map<string, Lane>} */
  #lanes = new Map();
  /**
   * The last answers, by key: what one view has asked, another is not sent again.
   * @type {Map<string, { want: Want, answer: unknown }>}
   */
  #known = new Map();
  #report;

  /** @param {(report: Report) => void} report */
  constructor(report) {
    this.#report = report;
  }

  /**
   * Ask unless it was asked last.
   * @param {Want} want
   */
  ask(want) {
    const lane = this.#lane(want.lane);
    if (lane.key === want.key) return;
    if (lane.key === lane.answered) lane.since = performance.now();
    Object.assign(lane, { key: want.key, want });
    if (lane.running?.want.heavy) lane.running.controller.abort();
    lane.waiting = want;
    this.#next(lane);
  }

  /**
   * Forget the lanes whose last want is such: what they asked and were answered, and what is still on its way.
   * Returns their names.
   * @param {(want: Want) => boolean} isSuch
   */
  forget(isSuch) {
    const lanes = [...this.#lanes].filter(([, lane]) => lane.want && isSuch(lane.want));
    for (const [key, { want }] of this.#known) if (isSuch(want)) this.#known.delete(key);
    for (const [, lane] of lanes) {
      Object.assign(lane, { want: null, key: null, answered: null, error: null, waiting: null, failed: null });
      lane.epoch += 1;
    }
    return lanes.map(([name]) => name);
  }

  /**
   * How the last answer of a lane stands to what it was asked last: {want, isSettled, error, waited, age}.
   * waited: ms since it was asked something new or answered something old; age: ms since its last answer
   * @param {string} name
   * @returns {LaneStanding}
   */
  standing(name) {
    const { want, key, answered, error, since, answeredAt } = this.#lane(name);
    const age = performance.now() - answeredAt;
    if (key === answered) return { want, isSettled: true, error: null, waited: 0, age };
    return { want, isSettled: false, error, waited: performance.now() - since, age };
  }

  /** Ask again what failed, now. */
  retry() {
    for (const lane of this.#lanes.values()) {
      if (lane.failed && !lane.running) {
        lane.waiting ??= lane.failed;
        lane.rest = 0;
        this.#next(lane);
      }
    }
  }

  /**
   * @param {string} name
   * @returns {Lane}
   */
  #lane(name) {
    const known = this.#lanes.get(name);
    if (known) return known;
    const lane = {
      want: null,
      key: null,
      answered: null,
      error: null,
      running: null,
      waiting: null,
      failed: null,
      resting: null,
      epoch: 0,
      rest: 0,
      spacing: 20,
      since: NaN,
      answeredAt: NaN,
    };
    this.#lanes.set(name, lane);
    return lane;
  }

  /** @param {Lane} lane */
  #next(lane) {
    if (lane.running || lane.resting || !lane.waiting) return;
    const pause = lane.rest - performance.now();
    if (pause > 1) {
      lane.resting = setTimeout(() => {
        lane.resting = null;
        this.#next(lane);
      }, pause);
      return;
    }
    const want = lane.waiting;
    lane.waiting = null;
    this.#run(lane, want);
  }

  /**
   * @param {Lane} lane
   * @param {Want} want
   */
  async #run(lane, want) {
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(), want.heavy ? 6 * LIMIT_MS : LIMIT_MS);
    const { epoch } = lane;
    lane.running = { want, controller };
    lane.rest = performance.now() + lane.spacing;
    lane.failed = null;
    try {
      const answer = this.#known.get(want.key)?.answer ?? (await send(want.request, controller.signal));
      lane.spacing = Math.max(20, lane.spacing * 0.9);
      if (epoch === lane.epoch) this.#answer(lane, want, answer);
    } catch (error) {
      if (epoch === lane.epoch) this.#fail(lane, want, error);
    } finally {
      clearTimeout(timer);
      lane.running = null;
      this.#next(lane);
    }
  }

  /**
   * @param {Lane} lane
   * @param {Want} want
   * @param {unknown} answer
   */
  #answer(lane, want, answer) {
    const now = performance.now();
    Object.assign(lane, { answered: want.key, error: null, since: now, answeredAt: now });
    this.#known.delete(want.key);
    this.#known.set(want.key, { want, answer });
    if (this.#known.size > KNOWN) this.#known.delete([...this.#known.keys()][0]);
    this.#report({ lane: want.lane, want, answer });
  }

  /**
   * @param {Lane} lane
   * @param {Want} want
   * @param {unknown} error
   */
  #fail(lane, want, error) {
    if (isAbort(error)) {
      if (lane.waiting) return;
      error = new Refusal(0, { detail: "" });
    }
    if (!(error instanceof Refusal)) throw error;
    lane.error = error;
    if (isPassing(error)) {
      lane.failed = want;
      lane.waiting ??= want;
      lane.rest = performance.now() + (error.retrySeconds * 1000 || RETRY_MS);
      if (error.status) lane.spacing = Math.min(1000, lane.spacing * 2);
    }
    this.#report({ lane: want.lane, want });
  }
}

/**
 * A want for a lane; its key is what would make the answer differ.
 * @template {Request} R
 * @param {string} lane
 * @param {R} request
 * @param {WantOptions} options
 * @returns {Want<R>}
 */
export function want(lane, request, options = {}) {
  const { path, query, json, picture } = request;
  return { lane, request, key: JSON.stringify([path, query, json, picture?.id]), ...options };
}

/**
 * A call on a picture that a network reads: of its size and as it is, or any and prepared.
 * @template {Picture} P
 * @param {string} path
 * @param {{ name: string, version: string }} network
 * @param {P} picture
 * @param {Members} options
 * @returns {Call<P>}
 */
export function networkCall(path, network, picture, options, isPrepared = false) {
  /** @type {Members} */
  const query = { model: network.name, version: network.version, ...options };
  if (!isPrepared) query.prepare = "none";
  return { method: "POST", path, picture, query };
}
