// The glossary: every word of the page that is not plain, in a sentence or two. It comes when a word is asked about.

/** @type {Record<string, string>} */
export const GLOSSARY = {
  activation:
    "What becomes of a sum before it is handed on. relu keeps what is above 0 and makes the rest 0; tanh squeezes it between −1 and 1; linear leaves it as it is.",
  bias: "A number that is added to every sum of a filter. It moves the point from which the filter answers.",
  channel: "One of the maps that a filter reads together. The filter has weights of its own for each of them.",
  coherence: "How much the filter has one direction: 1 is a clean edge or line, 0 has no direction.",
  conv: "A layer of filters (conv is short for convolution). Each filter slides over all maps of the layer before, or over the picture, and gives one map.",
  "d′":
    "How far the answers to one digit lie from those to the others, in units of their spread. From about 2 the two can be told apart nearly always.",
  doubt:
    "How much of the shares was given back evenly to the ten digits, because the picture is unlike a digit. 0 is none, 100 % is all.",
  filters: "Small tables of weights. Each is laid on a patch of what it reads, and multiplied with it cell by cell.",
  filter: "A small table of weights. It is laid on a patch of the picture, and multiplied with it cell by cell.",
  "gabor wave": "A stripe pattern that fades out from its middle. Cells in the eye, and learnt filters, often look like one.",
  logits:
    "The score of a digit: the sum of what all filters of the last layer give to it. e to the power of the ten logits, divided by their sum, gives the ten shares.",
  map: "The answers of one filter, a cell for each place that it was laid on. It is also called a feature map.",
  margin: "The logit of one digit less the logit of another. Above 0 the first one leads.",
  padding:
    "Cells around the picture that count as paper (0), so that the window can reach over the edge. Without padding (crop, also called valid) the window stays inside; with it (pad, also called same) the map has as many cells as steps fit the picture.",
  patch: "The part of the picture under the window.",
  pool: "A layer that makes maps smaller: of each small window it keeps the largest value (max) or the mean. A shift by a pixel then changes less.",
  pooling:
    "Makes a map smaller: of each small window the largest value, or the mean, is kept. A shift by a pixel then changes less.",
  selectivity: "Whether the filter answers to one digit or to all: 0 is to all alike, 1 is to one alone.",
  separable: "How much of the filter is one column times one row. Such a filter can be computed in two short steps.",
  share: "What one filter adds to a logit. The shares of all filters and the bias add up to it exactly.",
  silent: "A place is silent where the answer is 0 after the activation.",
  softmax:
    "How ten logits become ten shares: e to the power of each, divided by the sum of all ten. The largest logit gets the most.",
  stride: "How many pixels the window moves from one patch to the next.",
};

/**
 * The same words where a network tells other classes than the ten digits, or reads other pictures than ink on paper.
 * @type {Record<string, string>}
 */
export const OF_CLASSES = {
  "d′":
    "How far the answers to one class lie from those to the others, in units of their spread. From about 2 the two can be told apart nearly always.",
  logits:
    "The score of a class, before the scores are made shares: e to the power of each logit, divided by the sum of all of them, gives the shares.",
  margin: "The logit of one class less the logit of another. Above 0 the first one leads.",
  padding:
    "Cells around the picture that count as 0. Without padding (crop, also called valid) the window stays inside; with it (pad, also called same) the map has as many cells as steps fit the picture.",
  selectivity: "Whether the filter answers to one class or to all: 0 is to all alike, 1 is to one alone.",
  softmax:
    "How logits become shares: e to the power of each, divided by the sum of all. The largest logit gets the most.",
};
