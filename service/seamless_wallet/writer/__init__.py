"""The writer: the one process that moves the entries of all shards from Redis into SQL, exactly once, in order.

`cycle` says in which order things happen. A cycle first makes the checks that are due (`checks_due`), loads new scripts
(`script_loader`) and opens the epochs that are due (`epoch_opener`). Then it reads each shard's stream after the seq
that SQL holds (`read_stage`), commits everything in one transaction (`commit_stage`), raises the watermarks, and only
then tells the workers which of their attempts are committed (`confirm_stage`). Reading goes on while a commit is under
way, and replies to confirmations are judged before the next one. `server_probe` and `recovery_requests` run beside it
and only make checks due.

The writer knows Redis through the engine and SQL through `ledger.ports`; it decides nothing about money. What it
remembers (`shard_states`) can be read from SQL again at any time, so a restart misses nothing.
"""
