"""How far the ledger was verified, in a file beside it that nobody else can write. It is whole, or not there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import msgspec

from seamless_wallet.stores.increment_audit import Checkpoint, CheckpointRefused
from seamless_wallet.stores.sqlite.new_file import NewFile, refusing
from seamless_wallet.trusted_paths import UntrustedPath, open_trusted

SUFFIX: Final = ".verified"
CHECKPOINT_BYTES_MAX: Final = 1 << 20

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Checkpoint).decode


class CheckpointFile:
    """The checkpoint of a ledger with this path and UUID."""

    def __init__(self, ledger: Path, uuid: str) -> None:
        self.path = ledger.with_name(f"{ledger.name}{SUFFIX}")
        self._uuid = uuid

    def read(self) -> Checkpoint:
        """What was kept; if nothing was, one from which all entries are verified. Raises CheckpointRefused."""
        try:
            with os.fdopen(open_trusted(self.path), "rb") as file:
                kept = _decode(file.read(CHECKPOINT_BYTES_MAX))
        except FileNotFoundError:
            return Checkpoint(self._uuid)
        except (UntrustedPath, OSError, msgspec.MsgspecError, ValueError) as error:
            raise self.refused(f"it cannot be read: {error}") from None
        if kept.uuid != self._uuid:
            raise self.refused("it is that of another ledger")
        return kept

    def write(self, checkpoint: Checkpoint) -> None:
        """Keep it instead of the one before. Raises CopyRefused."""
        with refusing(f"cannot write {self.path}"), NewFile(self.path, replace=True) as new:
            new.path.write_bytes(_encode(checkpoint))
            new.publish()

    def refused(self, why: object) -> CheckpointRefused:
        """The error that says what to do."""
        return CheckpointRefused(
            f"the checkpoint {self.path}: {why}; run `wallet verify`, then remove that file to begin anew"
        )
