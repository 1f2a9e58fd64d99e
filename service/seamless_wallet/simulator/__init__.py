"""The game provider, played over real HTTP: it makes players, plays rounds, and checks every answer.

What ought to be answered is worked out by `oracle`, which is written from the rules alone and knows no Lua.
"""

from seamless_wallet.simulator.chaos import Chaos
from seamless_wallet.simulator.simulated_player import Limits
from seamless_wallet.simulator.simulation import Simulation, SimulationError, simulate

__all__ = ["Chaos", "Limits", "Simulation", "SimulationError", "simulate"]
