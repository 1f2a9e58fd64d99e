"""Redis as this service uses it: how a process connects, which keys there are, and the Lua scripts that decide.

It knows wire formats and names, and nothing of wallets or of SQL: whoever calls a script says what its numbers mean.
Import from the modules. `ports` has the way to Redis as protocols, `connection` the one by redis-py.
"""
