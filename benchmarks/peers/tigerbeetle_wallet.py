"""TigerBeetle behind the same webhook: one transfer from the player to the house for each bet, then his account.

python -m benchmarks.peers.tigerbeetle_wallet PORT ADDRESS

Its client comes from PyPI (`pip install 'tigerbeetle>=0.17'`), and only who gives a server's address needs it. A
player's account id is made of his user_id, and a transfer's of the event's digest: so TigerBeetle itself knows
duplicates. It keeps no rounds and no payloads; what it does is less than what the wallet does.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any, Final

import uvloop

from benchmarks.peers.webhook import Take, handler, port_argument, serve
from seamless_wallet.commands import Answer, Code, Command, digest, event_digest

LEDGER: Final = 1
ACCOUNT_CODE: Final = 1
BET_CODE: Final = 2
DEPOSIT_CODE: Final = 3
BATCH: Final = 1_000
"""Accounts or transfers of one request; the client refuses more than some 8,000."""

HOUSE: Final = int.from_bytes(digest("tigerbeetle", "house"), "big")


def client_module() -> Any:
    """The client library. Raises SystemExit with the remedy."""
    try:
        return import_module("tigerbeetle")
    except ImportError:
        raise SystemExit("TigerBeetle's client is missing: pip install 'tigerbeetle>=0.17'") from None


def account_id(user_id: str) -> int:
    """The number of a player's account: 128 bits."""
    return int.from_bytes(digest("tigerbeetle", "player", user_id), "big")


def balance_of(account: Any) -> int:
    """What a player has, in minor units."""
    return int(account.credits_posted - account.debits_posted)


def taking(library: Any, client: Any) -> Take:
    """Bets by one transfer each. The client puts those that come together into one request."""
    created, exists = library.CreateTransferStatus.CREATED, library.CreateTransferStatus.EXISTS
    declined = {
        library.CreateTransferStatus.EXCEEDS_CREDITS: Code.R4,
        library.CreateTransferStatus.DEBIT_ACCOUNT_NOT_FOUND: Code.R1,
    }

    async def take(command: Command) -> Answer:
        account = account_id(command.user_id)
        transfer = library.Transfer(
            id=int.from_bytes(event_digest(command), "big"),
            debit_account_id=account,
            credit_account_id=HOUSE,
            amount=sum(item.amount for item in command.items),
            ledger=LEDGER,
            code=BET_CODE,
        )
        (result,) = await client.create_transfers([transfer])
        if result.status not in {created, exists}:
            return Answer(declined.get(result.status, Code.R3), "declined")
        (found,) = await client.lookup_accounts([account])
        return Answer(Code.R0, "taken", balance_of(found), currency=command.currency)

    return take


async def main(port: int, address: str) -> None:
    """Serve for ever."""
    library = client_module()
    async with library.ClientAsync(cluster_id=0, replica_addresses=address) as client:
        await serve(port, handler(taking(library, client)))


if __name__ == "__main__":
    uvloop.run(main(port_argument(), sys.argv[2]))
