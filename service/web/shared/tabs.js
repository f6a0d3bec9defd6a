// The tabs of the six views.

import { byId, set } from "./dom.js";
import { VIEWS } from "../state/state.js";

/** @import { ViewName } from "../state/types.d.ts" */

/** @type {(name: ViewName) => HTMLElement} */
const tabOf = (name) => byId(`tab-${name}`);

/**
 * Show the panel of one view, and mark its tab.
 * @type {(name: ViewName) => void}
 */
export function showTab(name) {
  for (const each of VIEWS) {
    set(tabOf(each), "aria-selected", String(each === name));
    set(tabOf(each), "tabindex", each === name ? null : "-1");
    set(byId(`view-${each}`), "hidden", each !== name);
  }
  tabOf(name).scrollIntoView?.({ block: "nearest", inline: "nearest" });
}

/** @type {(name: ViewName) => void} */
export function focusTab(name) {
  tabOf(name).focus();
}

/**
 * A click or the arrow keys open a view.
 * @type {(open: (name: ViewName) => void) => void}
 */
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
