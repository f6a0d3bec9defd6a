// learn/ is the view of learning: the lecture's network as it was trained, step by step, and one to be trained here.

import { createTraining } from "./train.js";
import { createWatch } from "./watch.js";

/** @import { Context, View } from "../shared/types.d.ts" */

/** @type {(root: HTMLElement, context: Context) => View} */
export function create(root, context) {
  const parts = [createWatch(context), createTraining(context)];
  root.append(...parts.map((part) => part.root));
  const takes = [{ name: "history", record: () => context.data["learn/history"]?.want.request, formats: ["json"] }];
  return { draw: (model) => parts.forEach((part) => part.draw(model)), wants: parts[0].wants, takes };
}
