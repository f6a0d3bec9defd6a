"""POST /v1/read: several digits in one picture, where they lie in what was posted, and what is told of them."""
