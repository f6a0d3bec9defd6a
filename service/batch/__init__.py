"""Pictures classified without a server: a few files, or millions in a folder, a tar or Parquet."""
