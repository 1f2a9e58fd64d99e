"""A seamless wallet: encrypted game-provider webhooks, decided in Lua inside Redis, kept in a SQL ledger."""

__version__ = "0.1.0"
