// Frames over the pad, around what was found in the picture on it. The pad shows a picture as large as it fits.

/**
 * Put a frame around a box [left, top, width, height] of a picture of this size, and a margin around the box.
 * @type {(frame: HTMLElement, box: number[], size: { width: number, height: number }, margin?: number) => void}
 */
export function place(frame, [x, y, w, h], { width, height }, margin = 0) {
  const { clientWidth, clientHeight } = frame.parentElement ?? {};
  const aspect = (clientWidth || 1) / (clientHeight || 1);
  const [across, down] = [Math.max(width, height * aspect), Math.max(height, width / aspect)];
  const [left, top] = [x + (across - width) / 2 - margin, y + (down - height) / 2 - margin];
  /** @type {[name: string, value: number, side: number][]} */
  const places = [
    ["left", left, across],
    ["top", top, down],
    ["width", w + 2 * margin, across],
    ["height", h + 2 * margin, down],
  ];
  for (const [name, value, side] of places) frame.style.setProperty(name, `${((100 * value) / side).toFixed(2)}%`);
}
