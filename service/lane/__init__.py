"""Connections to Redis: the lane for commands, subscriptions for messages."""

from service.lane.connection import Server, listen, who_answers
from service.lane.lane import Ambiguous, Lane, LaneError, Refused

__all__ = ["Ambiguous", "Lane", "LaneError", "Refused", "Server", "listen", "who_answers"]
