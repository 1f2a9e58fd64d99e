"""The ledger entry, what can be rebuilt from entries alone, and the protocols the rest is written against."""
