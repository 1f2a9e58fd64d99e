"""The writer: one lease-holder that moves the entries of all shards from Redis into SQL, exactly once, in order.

A cycle reads each shard's stream after the seq that SQL holds (`reading`), commits everything in one transaction
(`committing`), raises the watermarks, and only then tells the workers which of their attempts are committed
(`confirming`). What it believes (`shard_states`) can be read from SQL again at any time, so a restart misses nothing.
"""

from seamless_wallet.writer.cycle import HEARTBEAT_MS, Writer, WriterLimits
from seamless_wallet.writer.read_stage import BLOCK_MS

__all__ = ["BLOCK_MS", "HEARTBEAT_MS", "Writer", "WriterLimits"]
