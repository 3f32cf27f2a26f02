"""risk: how loans, borrowers and platforms stand at the end of a date, and what is ahead (domain.md §8)."""
