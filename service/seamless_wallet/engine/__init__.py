"""Connections to Redis: the pipeline for commands, subscriptions for messages."""

from seamless_wallet.engine.connection import Server, listen, who_answers
from seamless_wallet.engine.pipeline import NotSent, OutcomeUnknown, Pipeline, RedisUnavailable

__all__ = ["NotSent", "OutcomeUnknown", "Pipeline", "RedisUnavailable", "Server", "listen", "who_answers"]
