"""The ledger's projection into the keyed store: what a day adds to each table, packed, sorted by key, summed for its proof."""
