// Figures that were measured: `python -m tests.web.lecture.figures` writes this file, and no hand does.

// The networks that they were measured on, by the SHA-256 of their files.
export const MEASURED_ON = {"digits": "31d22c552f386ca946f23c4cc2d4c2be4dbd6292bb2a6232107120925ef0f6ef", "lecture": "eea8d7e2f591a4da17310514b781128fe74aae5ff88ab7c8908f7b7cf1551840"};

// The share of 10,000 test digits that a read-out tells apart, and how many numbers it reads.
export const SCORES = {"made": {"features": 500, "test": 0.9635}, "learnt": {"features": 500, "test": 0.9751}, "pixels": {"features": 784, "test": 0.8648}};

// The filters that were made by hand, as the service takes them.
export const MADE = [{"preset": "diagonal_falling"}, {"preset": "diagonal_rising"}, {"preset": "edge_horizontal"}, {"preset": "edge_vertical"}, {"preset": "gaussian_edge", "angle": 0}, {"preset": "gaussian_edge", "angle": 45}, {"preset": "gaussian_edge", "angle": 90}, {"preset": "gaussian_edge", "angle": 135}, {"preset": "ridge", "angle": 0}, {"preset": "ridge", "angle": 45}, {"preset": "ridge", "angle": 90}, {"preset": "ridge", "angle": 135}, {"preset": "gabor", "size": 7, "angle": 0}, {"preset": "gabor", "size": 7, "angle": 90}, {"preset": "gabor_odd", "size": 7, "angle": 0}, {"preset": "gabor_odd", "size": 7, "angle": 90}, {"preset": "gaussian", "size": 7}, {"preset": "box", "size": 7}, {"preset": "log", "size": 7}, {"preset": "unsharp", "size": 7}];

// A digit in doubt: drawing 1312 of seed 24, 28 x 28 levels in base64, 255 = ink.
export const DOUBTFUL =
  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAACXHxbAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAK9D//G4AAACKkgEAAAAAAAAAAAAAAAAAAAAADtz/vzcAAAAI6/cWAAAAAAAAAAAAAAAAAAAAAFn/swQAAAAACez/OwAAAAAAAAAAAAAAAAAAAACF/2oAAAAAAAns/2AAAAAAAAAAAAAAAAAAAAAAg/5kAAAAAAAJ7P96AAAAAAAAAAAAAAAAAAAAAFf/vwkAAAAACez/igAAAAAAAAAAAAAAAAAAAAAM1P/LUAQAAAns/4gAAAAAAAAAAAAAAAAAAAAAABzC/v/kqYN+9/9uAAAAAAAAAAAAAAAAAAAAAAAABFm69//////aEwAAAAAAAAAAAAAAAAAAAAAAAAAAAAs6YcP5XgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAC1/zYAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAArvk0AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAJX+WQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABz/3oAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAdP96AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABMr/OwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAHD6xgIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABjy+T0AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAPyoAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==";
