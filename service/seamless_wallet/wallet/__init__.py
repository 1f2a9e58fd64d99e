"""The wallet of one process: turns a command into a decision of Lua, and into an answer once SQL has committed it.

`service` says in which order things happen. It may know Redis through the engine and SQL through `ledger.ports`. It
decides nothing about money, knows no provider's format and writes nothing to SQL: a script decides and writes the
entry, the writer commits it, and this room waits for that (`confirmations`), loads what Redis lacks (`loader`) and
looks up what Redis may have forgotten (`lookups`). Whatever a call waits for, it ends at its deadline (`deadlines`).
Without a writer it executes nothing (`writer_presence`).
"""
