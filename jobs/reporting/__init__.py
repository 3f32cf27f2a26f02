"""Reports: what their queries answer over sealed tables, and the files made of it (domain.md §9)."""
