// Frames over the pad, around what was found in the picture on it. The pad shows a picture as large as it fits.

/**
 * Put a frame around a box [left, top, width, height] of a picture of this size, and a margin around the box.
 * @type {(frame: HTMLElement, box: number[], size: { width: number, height: number }, margin?: number) => void}
 */
export function place(frame, [x, y, w, h], { width, height }, margin = 0) {
  const side = Math.max(width, height);
  const [left, top] = [x + (side - width) / 2 - margin, y + (side - height) / 2 - margin];
  const places = { left, top, width: w + 2 * margin, height: h + 2 * margin };
  for (const [name, value] of Object.entries(places))
    frame.style.setProperty(name, `${((100 * value) / side).toFixed(2)}%`);
}
