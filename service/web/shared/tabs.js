// The tabs of the views.

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
  const tabs = byId("tabs");
  const { offsetLeft, offsetWidth } = tabOf(name);
  const middle = offsetLeft - tabs.offsetLeft - (tabs.clientWidth - offsetWidth) / 2;
  if (tabs.scrollWidth > tabs.clientWidth) tabs.scrollTo({ left: middle });
}

/**
 * Bring the panel of a view under the bar that stays above it, where someone who opens it expects it.
 * @type {(name: ViewName) => void}
 */
export function bringPanel(name) {
  byId(`view-${name}`).scrollIntoView({ block: "start" });
}

/** Say on which side there are more tabs than there is room for. */
export function watchTabs() {
  const tabs = byId("tabs");
  const tell = () => {
    const { scrollLeft, scrollWidth, clientWidth } = tabs;
    tabs.classList.toggle("more-left", scrollLeft > 1);
    tabs.classList.toggle("more-right", scrollLeft + clientWidth < scrollWidth - 1);
  };
  tabs.addEventListener("scroll", tell, { passive: true });
  new ResizeObserver(tell).observe(tabs);
}

/** @type {(name: ViewName) => void} */
export function focusTab(name) {
  tabOf(name).focus({ preventScroll: true });
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
