"""`wallet verify --since-last`: the entries since the last time."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from seamless_wallet.settings import Settings

PART_ENTRIES: Final = 2_000
FINDINGS_SHOWN_MAX: Final = 100


async def verify_since_last(settings: Settings) -> dict[str, Any]:
    """Verify the ledger from its checkpoint on, and keep a new one if nothing was found. Raises StoreError."""
    from seamless_wallet.processes.ledger_connection import open_ledger
    from seamless_wallet.stores.increment_audit import CheckpointRefused
    from seamless_wallet.stores.sqlite.checkpoint_file import CheckpointFile

    findings: list[dict[str, Any]] = []
    entries = count = 0
    async with open_ledger(settings, for_people=True) as ledger:
        file = CheckpointFile(settings.ledger_path, ledger.uuid)
        checkpoint, at_end = file.read(), False
        while not at_end:
            try:
                part = await ledger.verify_since(checkpoint, PART_ENTRIES)
            except CheckpointRefused as error:
                raise file.refused(error) from None
            checkpoint, at_end = part.checkpoint, part.at_end
            entries, count = entries + part.entries, count + len(part.findings)
            findings += [msgspec.to_builtins(found) for found in part.findings[: FINDINGS_SHOWN_MAX - len(findings)]]
        if not count:
            file.write(checkpoint)
    return {
        "ok": not count,
        "path": ledger.place,
        "uuid": ledger.uuid,
        "entries": entries,
        "finding_count": count,
        "findings": findings,
    }
