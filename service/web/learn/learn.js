// learn/ is the view of learning: the lecture's network as it was trained, step by step, and one to be trained here.

import { createTraining } from "./train.js";

/** @import { Context, View } from "../shared/types.d.ts" */

/** @type {(root: HTMLElement, context: Context) => View} */
export function create(root, context) {
  const training = createTraining(context);
  root.append(training.root);
  return { draw: (model) => training.draw(model), wants: () => [], takes: [] };
}
