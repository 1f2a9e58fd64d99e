"""The wallet that most people write: redis-py's pool, one script, balances in Redis. What it has taken, a crash loses.

python -m benchmarks.peers.redis_wallet PORT SOCKET
"""

from __future__ import annotations

import sys
from typing import Final

import uvloop
from redis.asyncio import BlockingConnectionPool, Redis, UnixDomainSocketConnection

from benchmarks.peers.webhook import Take, port_argument, serve
from benchmarks.peers.webhook import handler as webhook_handler
from seamless_wallet.commands import Answer, Code, Command

CONNECTIONS: Final = 64

SCRIPT: Final = """\
-- KEYS: wallet, transaction. ARGV: stake in minor units, what the transaction says.
-- The balance afterwards; or {"R1"}: no player, {"R3"}: another transaction of this id, {"R4"}: not enough money.
local before = redis.call('HGET', KEYS[1], 'balance')
if not before then return {'R1'} end
local said = redis.call('GET', KEYS[2])
if said then return said == ARGV[2] and before or {'R3'} end
if tonumber(before) < tonumber(ARGV[1]) then return {'R4'} end
redis.call('SET', KEYS[2], ARGV[2], 'EX', 86400)
return redis.call('HINCRBY', KEYS[1], 'balance', -tonumber(ARGV[1]))
"""


def wallet_key(user_id: str) -> str:
    """Where a player's balance is."""
    return f"wallet:{user_id}"


def taking(redis: Redis) -> Take:
    """Bets by one EVALSHA each."""
    script = redis.register_script(SCRIPT)

    async def take(command: Command) -> Answer:
        user = command.user_id
        said = "|".join([command.game_no, *(f"{item.bet_index}:{item.amount}" for item in command.items)])
        total = sum(item.amount for item in command.items)
        reply = await script([wallet_key(user), f"transaction:{user}:{command.transaction_id}"], [total, said])
        if isinstance(reply, list):
            return Answer(Code(reply[0].decode()), "declined")
        return Answer(Code.R0, "taken", int(reply), currency=command.currency)

    return take


async def main(port: int, socket: str) -> None:
    """Serve for ever."""
    pool = BlockingConnectionPool(
        connection_class=UnixDomainSocketConnection, path=socket, max_connections=CONNECTIONS, timeout=20
    )
    await serve(port, webhook_handler(taking(Redis(connection_pool=pool))))


if __name__ == "__main__":
    uvloop.run(main(port_argument(), sys.argv[2]))
