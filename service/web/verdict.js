// The verdict: digit, confidence, ten bars, and the 28 x 28 that the network saw.

import { changes, make, set, write } from "./dom.js";
import { paint } from "./heatmap.js";
import { colourTable, percent } from "./scales.js";
import { verdictsOf } from "./subject.js";
import { EMPTY, reading, UNREAD, WAITING } from "./words.js";

export function createVerdict(lanes) {
  const [box, digit, confidence, aside] = ["verdict", "digit", "confidence", "aside"].map((id) =>
    document.getElementById(id),
  );
  const rows = Array.from({ length: 10 }, (_, label) => makeRow(label));
  document.getElementById("bars").append(...rows.map((row) => row.root));
  const seen = document.getElementById("seen");
  const seenIsNew = changes();
  const isNew = changes();

  function draw({ data, theme, isEmpty }) {
    const { before, shown } = verdictsOf(data);
    const missing = isEmpty ? EMPTY : lanes.standing("verdict").error ? UNREAD : WAITING;
    if (isNew(before, shown, missing)) {
      drawWords(shown, missing, { digit, confidence, aside });
      rows.forEach((row, label) => drawRow(row, label, shown, before));
    }
    set(box, "class", `verdict${shown?.is_digit === false ? " doubt" : ""}`);
    if (seenIsNew(data.input, theme)) {
      paint(seen, data.input?.levels || new Uint8Array(784), 28, 28, colourTable("pencil", theme), [0, 255]);
    }
  }
  return { draw };
}

function drawWords(verdict, missing, { digit, confidence, aside }) {
  write(digit, verdict ? String(verdict.digit) : "–");
  const [first, second] = verdict ? reading(verdict) : ["", missing];
  write(confidence, first);
  write(aside, second);
}

function makeRow(label) {
  const fill = make("span", { class: "fill" });
  const tick = make("span", { class: "tick", hidden: true });
  const share = make("span", { class: "share" }, "");
  const root = make(
    "li",
    {},
    make("span", {}, String(label)),
    make("span", { class: "track", "aria-hidden": "true" }, fill, tick),
    share,
  );
  return { root, fill, tick, share };
}

function drawRow({ root, fill, tick, share }, label, verdict, before) {
  const value = verdict ? verdict.probabilities[label] : 0;
  fill.style.width = `${value * 100}%`;
  write(share, verdict ? percent(value) : "");
  set(root, "class", verdict?.digit === label ? "best" : null);
  set(tick, "hidden", !before);
  if (before) tick.style.left = `calc(${before.probabilities[label] * 100}% - 1.5px)`;
}
