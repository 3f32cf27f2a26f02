"""One file for each step of a custody day: joins and sums as DataFrame code, judgement by calling the core."""
