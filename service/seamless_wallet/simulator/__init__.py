"""The game provider, simulated over real HTTP: it makes players, plays rounds, and checks every answer.

Which answer is due is worked out by `oracle`, which is written from the rules alone and shares no code with the
scripts that decide. The room knows the wire format (providers, ciphers), commands, money, errors and the clients. So
it plays against any wallet that has this webhook, with the back office of this project, a hook, or none, and needs no
Redis, ledger or settings of its own.
"""

from seamless_wallet.simulator.chaos import Chaos
from seamless_wallet.simulator.simulation import Simulation, simulate

__all__ = ["Chaos", "Simulation", "simulate"]
