"""The cases, one module a subject. Each reads like the rows that it plays.

A case knows its context, the players and events that the context gives it, and what a reply may say. Importing this
package registers them all.
"""

from types import ModuleType
from typing import Final

from seamless_wallet.conformance.cases import (
    amounts,
    batches,
    blocked,
    bodies,
    cancels,
    changes,
    concurrency,
    debt,
    envelope,
    identity,
    ids,
    logins,
    repeats,
    results,
    schema,
    sessions,
    stakes,
)

SUBJECTS: Final[tuple[ModuleType, ...]] = (
    logins,
    stakes,
    cancels,
    results,
    changes,
    repeats,
    identity,
    ids,
    envelope,
    bodies,
    schema,
    batches,
    amounts,
    sessions,
    blocked,
    debt,
    concurrency,
)
"""In the order in which a report has them."""
