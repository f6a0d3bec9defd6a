// Step 9: softmax as a pachinko with ten slots. Every filter of the last layer is a peg, and pushes all ten sums.

import { greatest, mapOf, ranking, sharesOf, softmax } from "../numbers/arithmetic.js";
import { fromBase64 } from "../numbers/npy.js";
import { colourOf, colourTable, fixed, percent, short, signed } from "../numbers/scales.js";
import { changes, make, radios, set, write } from "../shared/dom.js";
import { heatmap } from "../shared/heatmap.js";
import { networkCall, want } from "../state/api.js";
import { DOUBTFUL } from "./figures.js";
import { answerOf, around, bar, inputOf, paintMap, paintPicture } from "./parts.js";

/** @import { Arrays, Input, Model, Verdict, Want } from "../state/types.d.ts" */
/** @import { Create, Deciding, Sums } from "./types.d.ts" */

const STRONG = 8; // pegs that are shown one by one
const MOST_OFF = 3;
const STEP_MS = 420;
const still = matchMedia("(prefers-reduced-motion: reduce)");
const doubtful = inputOf("doubtful", () => fromBase64(DOUBTFUL));

/** @type {Create} */
export const create = (room) => {
  const { context } = room;
  const { data } = context;
  let [isOwn, shown] = [false, /** @type {"logits" | "powers" | "shares"} */ ("shares")];
  let fallen = Infinity; // rows of pegs that the ball has passed
  let isHelped = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  /** @type {Set<number>} */
  let off = new Set();
  /** @type {Input | null} */
  let last = null;
  const isNew = changes();

  const faces = ["a digit in doubt", "your digit"].map((label, i) => {
    const canvas = heatmap();
    const act = () => {
      isOwn = i === 1;
      room.redraw();
    };
    const press = make("button", { onclick: act, "aria-label": label }, canvas);
    return { canvas, press, root: make("span", { class: "source" }, press, make("span", {}, label)) };
  });
  const drop = make("button", { class: "main", onclick: fall }, "Drop the ball");
  const all = make("button", { onclick: () => switchTo(new Set()) }, "All pegs on");
  const help = make("button", { onclick: () => ask() }, "Which pegs decide?");
  const helped = make("p", { role: "status", id: "machine-help" }, "");
  const head = make(
    "tr",
    {},
    ["peg", "", ...Array.from({ length: 10 }, (_, digit) => String(digit))].map((text) =>
      make("th", { scope: "col" }, text),
    ),
  );
  const body = make("tbody", {});
  const sums = make("tr", { class: "sums" });
  const table = make("table", { class: "pegboard" }, make("thead", {}, head), body, make("tfoot", {}, sums));
  /** @type {["logits" | "powers" | "shares", string][]} */
  const kinds = [
    ["logits", "sums (logits)"],
    ["powers", "e to the sum"],
    ["shares", "shares (softmax)"],
  ];
  const kind = radios("the ten slots show", "lecture-slots", kinds, (value) => {
    shown = value;
    room.redraw();
  });
  const slots = Array.from({ length: 10 }, (_, digit) => slot(digit));
  const rack = make(
    "ol",
    { class: "slots", "aria-label": "The ten slots" },
    slots.map((each) => each.root),
  );
  const legend = "A ring is where the ball is after that peg: in the column whose sum is greatest so far.";
  const formula = make("p", { class: "formula", id: "machine-formula" }, "");
  const verdict = make("p", { class: "big", id: "machine-verdict", role: "status" }, "");
  const checked = make("p", { class: "muted", id: "machine-check" }, "");
  const doubt = bar("doubt: unlike any digit");
  const root = make(
    "div",
    {},
    make(
      "div",
      { class: "controls" },
      make(
        "div",
        { class: "sources", role: "group", "aria-label": "What falls" },
        make("span", {}, "What falls:"),
        faces.map((face) => face.root),
      ),
      drop,
      all,
      help,
    ),
    helped,
    make(
      "div",
      { class: "machine", "data-lane": "lecture/ledger lecture/maps lecture/read" },
      make(
        "div",
        { class: "scroll", tabindex: "0", role: "region", "aria-label": "Pegs" },
        table,
        make("p", { class: "muted" }, legend),
      ),
      make("div", { class: "column" }, kind.field, rack, formula, verdict, checked, doubt.root),
    ),
  );

  // ---- asking ----

  /** @type {(model: { data: import("../state/types.d.ts").Data }) => Input | null} */
  const picture = ({ data: answers }) => (isOwn ? answers.input : doubtful);

  /** @type {(input: Input, method: string) => Want} */
  const explain = (input, method) =>
    want(`lecture/${method}`, networkCall("/v1/explain", context.network(), input, { method }));

  /** @type {(input: Input) => Want} */
  const read = (input) => want("lecture/read", networkCall("/v1/classify", context.network(), input, {}));

  /** @type {(input: Input, layer: string) => Want} */
  const maps = (input, layer) =>
    want(
      "lecture/maps",
      networkCall("/v1/feature-maps", context.network(), input, { format: "npz", layers: `${layer}.act` }),
    );

  /** @type {(input: Input, layer: string) => Want} */
  function changed(input, layer) {
    const { query, ...call } = networkCall("/v1/what-if", context.network(), input, {});
    const made = [...off].sort((a, b) => a - b).map((filter) => ({ layer, filter, action: "off" }));
    return want("lecture/what-if", { ...call, json: { ...query, changes: made } });
  }

  /** @type {(input: Input | null) => Sums | null} */
  const ledgerOf = (input) => (input ? answerOf(room, "lecture/ledger", explain(input, "ledger")) : null);

  /** @type {(input: Input, layer: string) => { after: Verdict } | null} */
  const confirmed = (input, layer) => (off.size ? answerOf(room, "lecture/what-if", changed(input, layer)) : null);

  /** @type {(model: Model) => Want[]} */
  function wants(model) {
    const input = picture(model);
    if (!input) return [];
    const list = [explain(input, "ledger"), read(input)];
    const ledger = ledgerOf(input);
    if (ledger) list.push(maps(input, ledger.layer));
    if (ledger && off.size) list.push(changed(input, ledger.layer));
    if (isHelped) list.push(explain(input, "deciding-set"));
    return list;
  }

  // ---- acting ----

  /** @type {(next: Set<number>) => void} */
  function switchTo(next) {
    halt();
    off = next;
    room.redraw();
  }

  function ask() {
    isHelped = !isHelped;
    room.redraw();
  }

  function fall() {
    halt();
    if (still.matches) return room.redraw();
    fallen = 0;
    const step = () => {
      fallen += 1;
      if (fallen <= body.rows.length && root.getClientRects().length) timer = setTimeout(step, STEP_MS);
      else halt();
      room.redraw();
    };
    timer = setTimeout(step, STEP_MS);
    room.redraw();
  }

  function halt() {
    clearTimeout(timer);
    fallen = Infinity;
  }

  // ---- drawing ----

  /**
   * The rows of the board: the bias, the weak pegs as one, then the strong ones and those that are off, from weak to
   * strong.
   * @type {(ledger: Sums) => { filter: number | null, name: string, pushes: number[] }[]}
   */
  function rowsOf({ head_bias: bias, shares: { filters } }) {
    const count = filters[0].length;
    const spread = Array.from({ length: count }, (_, k) => Math.max(...filters.map((row) => Math.abs(row[k]))));
    // The deciding pegs push the two that compete; so pegs are chosen by what they change between those.
    const [first, second] = ranking(
      filters.map((row, digit) => bias[digit] + row.reduce((sum, value) => sum + value, 0)),
    );
    const between = filters[first].map((value, k) => value - filters[second][k]);
    const strong = new Set([...ranking(between).slice(0, STRONG / 2), ...ranking(spread)]);
    const chosen = [...new Set([...[...strong].slice(0, STRONG), ...off])];
    const rest = Array.from({ length: count }, (_, k) => k).filter((k) => !chosen.includes(k));
    /** @type {(list: number[]) => number[]} */
    const pushes = (list) => filters.map((row) => list.reduce((sum, k) => sum + row[k], 0));
    return [
      { filter: null, name: "start (bias)", pushes: bias },
      { filter: null, name: `the other ${rest.length}`, pushes: pushes(rest) },
      ...chosen
        .sort((a, b) => spread[a] - spread[b])
        .map((k) => ({ filter: k, name: `peg ${k}`, pushes: pushes([k]) })),
    ];
  }

  /** @type {(model: Model) => void} */
  function draw(model) {
    const input = picture(model);
    faces.forEach(({ press, canvas }, i) => {
      set(press, "aria-pressed", String(isOwn === (i === 1)));
      const face = i ? data.base : doubtful;
      if (face) paintPicture(canvas, face, model.theme);
    });
    if (input !== last) {
      [off, isHelped, last] = [new Set(), false, input];
      halt();
    }
    const ledger = ledgerOf(input);
    const reading = /** @type {{ answer: { results: Verdict[] } } | null | undefined} */ (data["lecture/read"])?.answer
      .results[0];
    kind.choose(shown);
    set(all, "disabled", off.size === 0);
    if (!ledger || !input || !reading) return;
    const after = confirmed(input, ledger.layer)?.after ?? null;
    const found = /** @type {Deciding | null} */ (
      isHelped ? answerOf(room, "lecture/deciding-set", explain(input, "deciding-set")) : null
    );
    if (!isNew(ledger, reading, off, fallen, shown, after, found, data["lecture/maps"], model.theme)) return;
    drawBoard(model, ledger);
    const sum = sumsOf(rowsOf(ledger).slice(0, fallen + 1));
    drawSlots(model, sum, reading);
    const isWhole = fallen === Infinity;
    write(
      checked,
      !isWhole || !off.size
        ? checkWords(sum, reading.logits, isWhole)
        : after
          ? checkWords(sum, after.logits, true)
          : "",
    );
    const [first, second] = ranking(sum);
    const count = off.size ? `With ${off.size} of ${ledger.shares.filters[0].length} pegs off it` : "It";
    write(
      verdict,
      isWhole ? `${count} falls into ${first}; next is ${second}, ${fixed(sum[first] - sum[second])} behind.` : "",
    );
    write(helped, found ? helpWords(found) : "");
    const amount = (off.size ? after : reading)?.doubt ?? 0;
    doubt.draw(amount, amount ? percent(amount) : "none");
  }

  /**
   * The ten sums over these rows.
   * @type {(rows: { filter: number | null, pushes: number[] }[]) => number[]}
   */
  function sumsOf(rows) {
    return Array.from({ length: 10 }, (_unused, digit) =>
      rows.reduce((sum, { filter, pushes }) => sum + (filter !== null && off.has(filter) ? 0 : pushes[digit]), 0),
    );
  }

  /** @type {(model: Model, ledger: Sums) => void} */
  function drawBoard({ theme }, ledger) {
    const rows = rowsOf(ledger);
    const range = around(rows.flatMap(({ pushes }) => pushes));
    const colours = colourTable("diverging", theme);
    const arrays = /** @type {{ answer: Arrays } | null | undefined} */ (data["lecture/maps"])?.answer;
    const held = document.activeElement?.getAttribute("data-peg");
    const running = new Array(10).fill(0);
    const leading = ranking(sumsOf(rows)).slice(0, 2);
    const lines = rows.map(({ filter, name, pushes }, i) => {
      const isOff = filter !== null && off.has(filter);
      const press =
        filter === null
          ? name
          : make(
              "button",
              {
                "aria-pressed": String(!isOff),
                "aria-label": `${name}, ${isOff ? "off" : "on"}`,
                "data-peg": filter,
                onclick: () => toggle(filter),
              },
              isOff ? `${name} off` : name,
            );
      if (!isOff) pushes.forEach((push, digit) => (running[digit] += push));
      const [ball] = ranking(running);
      const cells = pushes.map((push, digit) => {
        const kinds = [digit === ball && !isOff ? "here" : "", leading.includes(digit) ? "leading" : ""];
        const cell = make("td", { class: kinds.join(" ").trim() || null }, signed(Number(push.toFixed(1))));
        const { fill, text } = colourOf(isOff ? 0 : push, range, colours);
        Object.assign(cell.style, { background: fill, color: text });
        return cell;
      });
      const state = isOff ? "off" : i <= fallen ? null : "ahead";
      return make(
        "tr",
        { class: state },
        make("th", { scope: "row" }, press),
        make("td", { class: "face" }, faceOf(filter, arrays, ledger.layer, theme)),
        cells,
      );
    });
    body.replaceChildren(...lines);
    if (held) /** @type {HTMLElement | null} */ (body.querySelector(`[data-peg="${held}"]`))?.focus();
    const sum = sumsOf(rows.slice(0, fallen + 1));
    const most = Math.max(...sum);
    sums.replaceChildren(
      make("th", { scope: "row" }, "sum"),
      make("td", {}),
      ...sum.map((value, digit) =>
        make(
          "td",
          { class: `${value === most ? "best" : ""} ${leading.includes(digit) ? "leading" : ""}`.trim() || null },
          fixed(value, 1),
        ),
      ),
    );
  }

  /** @type {(filter: number) => void} */
  function toggle(filter) {
    const next = new Set(off);
    if (!next.delete(filter)) next.add(filter);
    switchTo(next);
  }

  /** @type {(model: Model, sum: number[], reading: Verdict) => void} */
  function drawSlots({ network }, sum, reading) {
    const temperature = network.passport?.calibration?.temperature ?? 1;
    const shares = off.size || fallen !== Infinity ? softmax(sum, temperature) : sharesOf(reading, network);
    const [lo, hi] = [Math.min(...sum, 0), Math.max(...sum, 0)];
    const powers = sum.map((value) => Math.exp(value / temperature));
    const total = powers.reduce((all, power) => all + power, 0);
    const [first] = ranking(sum);
    set(rack, "class", `slots ${shown}`);
    slots.forEach((each, digit) => {
      const height =
        shown === "logits"
          ? (sum[digit] - lo) / (hi - lo || 1)
          : shown === "powers"
            ? powers[digit] / Math.max(...powers)
            : shares[digit];
      each.fill.style.height = `${height * 100}%`;
      write(
        each.value,
        shown === "logits" ? fixed(sum[digit], 1) : shown === "powers" ? brief(powers[digit]) : percent(shares[digit]),
      );
      set(each.root, "class", digit === first ? "best" : null);
      write(each.balls, shown === "shares" ? `${Math.round(shares[digit] * 100)}` : "");
    });
    const heat = temperature === 1 ? "" : ` ÷ ${fixed(temperature)}`;
    const texts = {
      logits: `${first}: all pushes together are ${fixed(sum[first])}`,
      powers: `${first}: e to the ${fixed(sum[first])}${heat} = ${brief(powers[first])}${heat ? "; this network divides its sums by that temperature" : ""}`,
      shares: `${first}: ${brief(powers[first])} ÷ ${brief(total)} (all ten) = ${fixed(shares[first], 4)}. Of 100 balls, that many fall into it.`,
    };
    write(formula, texts[shown]);
  }

  return {
    root,
    draw,
    wants,
    isDone: (model) => {
      const input = picture(model);
      const ledger = ledgerOf(input);
      if (!ledger || !input || !off.size || off.size > MOST_OFF) return false;
      const after = confirmed(input, ledger.layer)?.after;
      return after !== undefined && after.digit !== ranking(ledger.logits)[0];
    },
    leave: halt,
  };
};

/** @type {(value: number) => string} */
const brief = (value) =>
  value >= 1e5 || value < 1e-3
    ? value.toExponential(1).replace("e+", " × 10^").replace("e-", " × 10^\u2212")
    : short(value);

/** @type {(sum: number[], logits: number[], isWhole: boolean) => string} */
function checkWords(sum, logits, isWhole) {
  if (!isWhole) return "";
  const far = Math.max(...sum.map((value, digit) => Math.abs(value - logits[digit])));
  return far < 1e-3 ? "\u2713 The service has the same ten sums." : `The service’s sums differ by up to ${short(far)}.`;
}

/** @type {(found: Deciding) => string} */
function helpWords({ filters: { found, size, members, digit_after: after } }) {
  if (!found) return "No set of pegs of this layer makes another digit win.";
  const names = members.slice(0, 6).join(", ");
  return `The service finds ${size === 1 ? "one peg that decides" : `${size} pegs that decide`}: ${names}${size > 6 ? ", …" : ""}. Without ${size === 1 ? "it" : "them"} it reads ${after}.`;
}

/** @type {(digit: number) => { root: HTMLElement, fill: HTMLElement, value: HTMLElement, balls: HTMLElement }} */
function slot(digit) {
  const fill = make("span", { class: "fill" });
  const value = make("span", { class: "value" }, "");
  const balls = make("span", { class: "balls" }, "");
  const root = make(
    "li",
    {},
    value,
    make("span", { class: "tube", "aria-hidden": "true" }, fill),
    make("b", {}, String(digit)),
    balls,
  );
  return { root, fill, value, balls };
}

/** @type {(filter: number | null, arrays: Arrays | undefined, layer: string, theme: import("../numbers/types.d.ts").Theme) => HTMLElement | null} */
function faceOf(filter, arrays, layer, theme) {
  const maps = arrays?.[`${layer}.act`];
  if (filter === null || !maps) return null;
  const tensor = { shape: maps.shape.slice(1), data: maps.data };
  const { rows, columns, start } = mapOf(tensor, filter);
  const [best, row, column] = greatest(tensor);
  const most = maps.data[best * rows * columns + row * columns + column];
  const canvas = heatmap();
  paintMap(canvas, {
    values: maps.data.slice(start, start + rows * columns),
    rows,
    columns,
    theme,
    range: [-most, most],
  });
  return canvas;
}
