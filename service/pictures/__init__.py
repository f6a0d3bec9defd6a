"""Picture files: their parts counted before decoding; bytes in, pixels out; arrays in, PNG out."""
