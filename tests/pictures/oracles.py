"""Other decoders: what Chromium shows of a file, and what OpenCV reads of it."""

import base64
from contextlib import contextmanager

import numpy as np

SHOW = """async files => Promise.all(files.map(async text => {
  const bytes = Uint8Array.from(atob(text), c => c.charCodeAt(0));
  let bitmap;
  try {
    bitmap = await createImageBitmap(new Blob([bytes]), {colorSpaceConversion: "none"});
  } catch (error) { return null; }
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const pen = canvas.getContext("2d");
  pen.fillStyle = "white";
  pen.fillRect(0, 0, bitmap.width, bitmap.height);
  pen.drawImage(bitmap, 0, 0);
  const {data} = pen.getImageData(0, 0, bitmap.width, bitmap.height);
  let out = "";
  for (let at = 0; at < data.length; at += 8192) out += String.fromCharCode(...data.subarray(at, at + 8192));
  return [bitmap.width, bitmap.height, btoa(out)];
}))"""


@contextmanager
def browser_decoder():
    """A function from files to what Chromium shows of each on white paper: (height, width, 3) uint8, or None."""
    from tests.web.browsing import chromium

    with chromium() as browser:
        page = browser.new_page()

        def shown(files):
            answers = page.evaluate(SHOW, [base64.b64encode(file).decode() for file in files])
            return [None if answer is None else _pixels(*answer) for answer in answers]

        yield shown


def _pixels(width, height, text):
    return np.frombuffer(base64.b64decode(text), np.uint8).reshape(height, width, 4)[:, :, :3]


def in_colour(pixels):
    """What the service decoded, as a screen shows it: (height, width, 3) uint8."""
    if pixels.dtype == np.float32:
        pixels = np.rint(pixels * 255).astype(np.uint8)
    return pixels if pixels.ndim == 3 else np.repeat(pixels[:, :, None], 3, axis=2)
