"""reconcile: three sides, every row in one bucket, each break a case (domain.md §6)."""
