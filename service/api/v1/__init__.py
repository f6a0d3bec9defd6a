"""The calls of our contract, one file each: read, call the lab, write."""
