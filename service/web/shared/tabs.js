// The tabs of the six views.

import { set } from "./dom.js";
import { VIEWS } from "../state/state.js";

const tabOf = (name) => document.getElementById(`tab-${name}`);

/** Show the panel of one view, and mark its tab. */
export function showTab(name) {
  for (const each of VIEWS) {
    set(tabOf(each), "aria-selected", String(each === name));
    set(tabOf(each), "tabindex", each === name ? null : "-1");
    set(document.getElementById(`view-${each}`), "hidden", each !== name);
  }
  tabOf(name).scrollIntoView?.({ block: "nearest", inline: "nearest" });
}

export function focusTab(name) {
  tabOf(name).focus();
}

/** A click or the arrow keys open a view. */
export function listenToTabs(open) {
  VIEWS.forEach((name, i) => {
    tabOf(name).addEventListener("click", () => open(name));
    tabOf(name).addEventListener("keydown", (event) => {
      const next = { ArrowLeft: i - 1, ArrowRight: i + 1, Home: 0, End: VIEWS.length - 1 }[event.key];
      if (next === undefined) return;
      event.preventDefault();
      const chosen = VIEWS[(next + VIEWS.length) % VIEWS.length];
      open(chosen);
      focusTab(chosen);
    });
  });
}
