"""Players whose every event is repeated until it is final, and what they must have in the end."""

from __future__ import annotations

from seamless_wallet.commands import Code, Command, Item, Kind
from seamless_wallet.ledger.fold import Wallet
from tests.integration.waiting import gather
from tests.integration.world import World


class Bettor:
    """A player whose every event is repeated until it is final, with what he must have in the end."""

    def __init__(self, world: World, user: str, balance: int) -> None:
        self._world = world
        self.user = user
        self.balance = balance
        self.acknowledged: list[str] = []
        self.rounds = 0

    async def play(self, rounds: int, workers: int = 1) -> None:
        """Bet 10, win 5 or lose all; every third bet is cancelled."""
        for _ in range(rounds):
            self.rounds += 1
            n, game = self.rounds, f"{self.user}-{self.rounds}"
            await self._do(self._world.bet(self.user, game, 10, tid=f"b-{game}"), n % workers, -10)
            if n % 3 == 0:
                await self._do(self._world.bets(Kind.CANCEL, self.user, game, 10, tid=f"c-{game}"), n % workers, 10)
            else:
                winloss = 5 if n % 2 else -10
                item = Item("1", "P", 10, winloss)
                result = self._world.bets(Kind.RESULT, self.user, game, item, tid=f"r-{game}")
                await self._do(result, n % workers, 10 + winloss)

    async def _do(self, command: Command, worker: int, moves: int) -> None:
        answer = await self._world.settle(command, worker)
        assert answer.code is Code.R0, (answer, command)
        self.acknowledged.append(command.transaction_id)
        self.balance += moves

    async def verify(self, wallet: Wallet) -> None:
        """What was acknowledged is in the ledger, once; and nothing else moved money."""
        assert wallet.balance == self.balance, (wallet.balance, self.balance, self.user)
        stored = [e.command.transaction_id for e in await self._world.stored(self.user)]
        for transaction_id in self.acknowledged:
            assert stored.count(transaction_id) == 1, (transaction_id, stored.count(transaction_id))


async def bettors(world: World, number: int, balance: int = 10_000) -> list[Bettor]:
    """So many players, with money."""
    users = [f"player-{n}" for n in range(number)]
    await gather(*(world.player(user, balance, n % len(world.workers)) for n, user in enumerate(users)))
    return [Bettor(world, user, balance) for user in users]


async def verify_all(world: World, players: list[Bettor]) -> None:
    """Every book in order, and every player has what he must have."""
    wallets = await world.check([player.user for player in players])
    for player in players:
        await player.verify(wallets[player.user])
