"""The wallet: turns a command into a decision of Lua, and into an answer once SQL has committed it."""
