// Figures that were measured: `python -m tests.web.lecture.figures` writes this file, and no hand does.

// The networks that they were measured on, by the SHA-256 of their files.
export const MEASURED_ON = {"digits": "be0ad502bffe60b8e82d55afeb7292b14acadd08c0c076702e750b2c7831a095", "lecture": "eea8d7e2f591a4da17310514b781128fe74aae5ff88ab7c8908f7b7cf1551840"};

// The share of 10,000 test digits that a read-out tells apart, and how many numbers it reads.
export const SCORES = {"made": {"features": 500, "test": 0.9635}, "learnt": {"features": 500, "test": 0.9751}, "pixels": {"features": 784, "test": 0.8648}};

// The filters that were made by hand, as the service takes them.
export const MADE = [{"preset": "diagonal_falling"}, {"preset": "diagonal_rising"}, {"preset": "edge_horizontal"}, {"preset": "edge_vertical"}, {"preset": "gaussian_edge", "angle": 0}, {"preset": "gaussian_edge", "angle": 45}, {"preset": "gaussian_edge", "angle": 90}, {"preset": "gaussian_edge", "angle": 135}, {"preset": "ridge", "angle": 0}, {"preset": "ridge", "angle": 45}, {"preset": "ridge", "angle": 90}, {"preset": "ridge", "angle": 135}, {"preset": "gabor", "size": 7, "angle": 0}, {"preset": "gabor", "size": 7, "angle": 90}, {"preset": "gabor_odd", "size": 7, "angle": 0}, {"preset": "gabor_odd", "size": 7, "angle": 90}, {"preset": "gaussian", "size": 7}, {"preset": "box", "size": 7}, {"preset": "log", "size": 7}, {"preset": "unsharp", "size": 7}];

// A digit in doubt: drawing 3006 of seed 23, 28 x 28 levels in base64, 255 = ink.
export const DOUBTFUL =
  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAHrCpAwAAAA0XAAAAAAAAAAAAAAAAAAAAAAAAV+//3AcAAATI6xUAAAAAAAAAAAAAAAAAAAAAO/v6lhYAAAAW+f9MAAAAAAAAAAAAAAAAAAAAAIP/jwEAAAAAJ/v/bQAAAAAAAAAAAAAAAAAAAABT/9QIAAAAAEj//4gAAAAAAAAAAAAAAAAAAAAACNH8dAAAAABv//+QAAAAAAAAAAAAAAAAAAAAAAA49u8bAAAAn///nAAAAAAAAAAAAAAAAAAAAAAAAIX/lQEESvH//5wAAAAAAAAAAAAAAAAAAAAAAAAe7v/0+v/+3/yIAAAAAAAAAAAAAAAAAAAAAAAAAEDL+/C6VaH+WAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA3t9RcAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA//bMAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAav+FAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAHL/gAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABy/4AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAdf9/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAJr/ZAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAC30+BwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABrs/XoAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAa5poCAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==";
