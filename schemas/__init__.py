"""What data looks like: file layouts, file names and seals, lake tables, store keys and packed records."""
