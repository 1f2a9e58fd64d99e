"""The double-entry ledger as values: what an entry is, and what follows from entries alone.

`entry` has the entry, its decision and its chain, `bets` the state of a bet, `fold` the one function that rebuilds a
wallet or a round, `records` what SQL is asked for, `conflicts` why entries cannot be committed, and `ports` what the
rest of the program needs of a store, and how a store fails. It does no input or output, and knows neither Redis nor
SQL, nor any room but `commands`.
"""
