// The pegs of step 9: a row each, and what it pushes each of the ten sums by.

import { mapOf, ranking } from "../numbers/arithmetic.js";
import { colourOf, colourTable, extent, fixed, signed } from "../numbers/scales.js";
import { make } from "../shared/dom.js";
import { heatmap } from "../shared/heatmap.js";
import { around, paintMap } from "./parts.js";

/** @import { Tensor, Theme } from "../numbers/types.d.ts" */
/** @import { Board, PegRow, Sums } from "./types.d.ts" */

const STRONG = 8; // pegs that are shown one by one
const DIGITS = Array.from({ length: 10 }, (_, digit) => digit);

/**
 * The rows of the board: the bias, the weak pegs as one, then the strong ones and those that are off, from weak to
 * strong. Half of the strong ones are those that part the two digits that lead.
 * @type {(ledger: Sums, off: Set<number>) => PegRow[]}
 */
export function rowsOf({ head_bias: bias, logits, shares: { filters } }, off) {
  const all = filters[0].map((_, peg) => peg);
  const strength = all.map((peg) => Math.max(...filters.map((row) => Math.abs(row[peg]))));
  const [first, second] = ranking(logits);
  const parting = filters[first].map((push, peg) => push - filters[second][peg]);
  const strong = [...new Set([...ranking(parting).slice(0, STRONG / 2), ...ranking(strength)])].slice(0, STRONG);
  const chosen = [...new Set([...strong, ...off])].sort((a, b) => strength[a] - strength[b]);
  const rest = all.filter((peg) => !chosen.includes(peg));
  /** @type {(pegs: number[]) => number[]} */
  const pushes = (pegs) => filters.map((row) => pegs.reduce((sum, peg) => sum + row[peg], 0));
  const others = rest.length
    ? [{ peg: null, isOff: false, name: `the other ${rest.length}`, pushes: pushes(rest) }]
    : [];
  const single = chosen.map((peg) => ({ peg, isOff: off.has(peg), name: `peg ${peg}`, pushes: pushes([peg]) }));
  return [{ peg: null, isOff: false, name: "start (bias)", pushes: bias }, ...others, ...single];
}

/**
 * The ten sums over some rows. A peg that is off pushes nothing.
 * @type {(rows: PegRow[]) => number[]}
 */
export function sumsOf(rows) {
  const on = rows.filter(({ isOff }) => !isOff);
  return DIGITS.map((digit) => on.reduce((sum, { pushes }) => sum + pushes[digit], 0));
}

/** @type {(toggle: (peg: number) => void) => Board} */
export function createBoard(toggle) {
  const head = ["peg", "", ...DIGITS.map(String)].map((text) => make("th", { scope: "col" }, text));
  const body = make("tbody", {});
  const foot = make("tr", { class: "sums" });
  const root = make(
    "table",
    { class: "pegboard" },
    make("thead", {}, make("tr", {}, head)),
    body,
    make("tfoot", {}, foot),
  );

  /** @type {Board["draw"]} */
  function draw({ rows, fallen, maps, theme }) {
    const leading = ranking(sumsOf(rows)).slice(0, 2);
    const held = document.activeElement?.getAttribute("data-peg");
    body.replaceChildren(...rows.map((row, i) => lineOf(row, i)));
    if (held) /** @type {HTMLElement | null} */ (body.querySelector(`[data-peg="${held}"]`))?.focus();
    const sum = sumsOf(rows.slice(0, fallen + 1));
    const cells = sum.map((value, digit) => {
      const isBest = value === Math.max(...sum);
      return make("td", { class: classes(isBest && "best", leading.includes(digit) && "leading") }, fixed(value, 1));
    });
    foot.replaceChildren(make("th", { scope: "row" }, "sum"), make("td", {}), ...cells);

    /** @type {(row: PegRow, i: number) => HTMLElement} */
    function lineOf(row, i) {
      const { peg, isOff, name, pushes } = row;
      const range = around(rows.flatMap((each) => each.pushes));
      const [ball] = ranking(sumsOf(rows.slice(0, i + 1)));
      const cells = pushes.map((push, digit) => {
        const isHere = digit === ball && !isOff;
        const { fill, text } = colourOf(isOff ? 0 : push, range, colourTable("diverging", theme));
        const cell = make("td", { class: classes(isHere && "here", leading.includes(digit) && "leading") });
        cell.textContent = signed(Number(push.toFixed(1)));
        Object.assign(cell.style, { background: fill, color: text });
        return cell;
      });
      const label = peg === null ? name : switchOf(peg, name, isOff);
      const face = make("td", { class: "face" }, faceOf(peg, maps, theme));
      return make(
        "tr",
        { class: classes(isOff && "off", i > fallen && "ahead") },
        make("th", { scope: "row" }, label),
        face,
        cells,
      );
    }
  }

  /** @type {(peg: number, name: string, isOff: boolean) => HTMLElement} */
  function switchOf(peg, name, isOff) {
    const words = `${name}, ${isOff ? "off" : "on"}`;
    const properties = { "aria-pressed": String(!isOff), "aria-label": words, "data-peg": peg };
    return make("button", { ...properties, onclick: () => toggle(peg) }, isOff ? `${name} off` : name);
  }
  return { root, draw, count: () => body.rows.length };
}

/** @type {(...names: (string | false)[]) => string | null} */
function classes(...names) {
  return names.filter(Boolean).join(" ") || null;
}

/** @type {(peg: number | null, maps: Tensor | null, theme: Theme) => HTMLElement | null} */
function faceOf(peg, maps, theme) {
  if (peg === null || !maps) return null;
  const { rows, columns, start } = mapOf(maps, peg);
  const [lo, hi] = extent(maps.data);
  const most = Math.max(Math.abs(lo), hi) || 1;
  const canvas = heatmap();
  const values = maps.data.slice(start, start + rows * columns);
  paintMap(canvas, { values, rows, columns, theme, range: [-most, most] });
  return canvas;
}
