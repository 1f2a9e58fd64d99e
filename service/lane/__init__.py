"""Connections to Redis: the lane for commands, subscriptions for messages."""

from service.lane.connection import listen
from service.lane.lane import Ambiguous, Lane, LaneError, Refused, Server

__all__ = ["Ambiguous", "Lane", "LaneError", "Refused", "Server", "listen"]
