"""Millions of pictures: a folder, a tar or Parquet in, Parquet out (`python -m service score`)."""
