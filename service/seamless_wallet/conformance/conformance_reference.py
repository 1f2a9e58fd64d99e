"""Writes docs/conformance.md: `python -m seamless_wallet.conformance.conformance_reference > docs/conformance.md`."""

from __future__ import annotations

import sys
from itertools import groupby
from typing import Final

from seamless_wallet.conformance.case_registry import Case
from seamless_wallet.conformance.case_selection import all_cases

INTRODUCTION: Final = """\
# Conformance

`wallet conformance URL` tries a wallet from outside, as its provider would, and says which rows of
[semantics.md](semantics.md) hold. It knows nothing of the wallet but its webhook, so it serves for any implementation
of [wire.md](wire.md): this one, or one of your own in any language.

This page is made from the code: `python -m seamless_wallet.conformance.conformance_reference > docs/conformance.md`.

## Our own service
Beside a running `wallet up`, with the same settings, everything is known already:
```sh
wallet conformance
```
`--provider` chooses an account if there are several, `--verbose` shows every case. New players called `conf-…` are
made, play and stay: do this on a test installation.

## Your own wallet
The webhook, its credentials, and where players come from:
```sh
wallet conformance https://wallet.example/webhook/acme --api-id operator-17 --api-key-file acme.key \\
    --currency KRW --player ann --player bob
wallet conformance https://wallet.example/webhook/acme --api-id operator-17 --api-key-file acme.key \\
    --currency KRW --hook ./back-office-hook
```
- `--player`: one or two players who exist, are active and owe nothing. They serve one case after the other, and some
  cases wait until the grace after a logout is over, so this takes over two minutes at 10 s of grace. Nobody else may
  play with them meanwhile; what they have in the end is not what they had. If they have too little, they win it in a
  round without a stake.
- `--hook CMD`: a program of yours for what a webhook cannot do. With it, each case has new players, unless `--player`
  says otherwise.
- `--admin-url`, `--admin-token-file`: the same by way of our [admin API](admin-api.md).
- `--cipher`, `--key-encoding`, `--reply-body` and `--scale` (of the currency, 2 unless said) are as in
  [settings.md](settings.md#providers).

What needs something that is not there is skipped, with the reason.

### The hook
A command line, without a shell. It is run as
```text
CMD create USER CURRENCY
CMD deposit USER AMOUNT CURRENCY
CMD withdraw USER AMOUNT CURRENCY
CMD block USER
CMD unblock USER
CMD balance USER CURRENCY          prints the balance
```
`AMOUNT` is a decimal number of major units, such as `100.00`. Exit status 0 says that it is done and in force, 69 that
there is no such action here (what needs it is skipped), any other that it was refused; then the end of what it printed,
on stderr and stdout, is shown. `create` and `deposit` every case needs: if they are refused for an ordinary player, no
more cases with players are played. To create a player who exists is no error. Each action happens once per call;
several calls may run at the same time. A user has ASCII letters, digits and hyphens, but in the cases on ids that look
alike, where there are others.

[back-office-hook.sh](back-office-hook.sh) is a hook for our own admin API, in a few lines of curl.

### What you chose
Rows marked (cfg) have a default, and are otherwise as you say. So are the limits:

| option | default | row |
|---|---|---|
| `--session` | `required`; or `off` | 33 |
| `--cancel-unknown` | `tombstone`; or `r3` | 43 |
| `--change-overdraw` | `debt`; or `reject` | 66 |
| `--grace-s` | 10: how long bets are taken after a logout. Some cases wait for it | 33 |
| `--body-bytes-max` | 65536 | 13 |

## What comes out
A line for each phase, and each failure with what was expected, what came, and the event; failures that say the same are
shown together. `--json` prints
`{"cases": [{"name", "row", "status", "detail"}], "summary": …}` with the status `pass`, `fail` or `skip`;
`--junit FILE` writes what CI servers read. `--list` only lists the cases, `--only` plays some: `--only 'cancel-*'`,
`--only row:66`.

Exit status: 0 all passed, 1 something failed (or, with `--strict`, was skipped), 2 wrong usage, or nothing that could
be tried: one line says what, before the first case. Nothing listens there, or no webhook does; it has other
credentials, another cipher or profile; a player is not there; the hook does not run or makes no player; the report
cannot be written.

Every case uses rounds and ids of its own. Each answer is checked for its code, for `latest_balance` to the last digit,
and for the echo of `event_type`, `timestamp` and `user_id`; and in the end, a login has to tell the same balance for
everybody who took part. After an R1 that is not due, or a connection that ends without an answer, the event is sent
again up to three times, as a provider does (row 7); the report says so. No redirection is followed: it would carry
the key.

Phases 1 to 3 are the order in which the provider's overview has a wallet built: login and logout; bets, too little
money, cancels; results and their changes. The others are what goes wrong in real life.

## What cannot be seen from outside
| row | why |
|---|---|
| 2, 4, 53 … | that something is *counted* or *logged*: metrics and logs are the wallet's own |
| 3 | another provider's event with the same id: needs a second account |
| 7 | a transient failure: nobody can ask for one. That the retry decides is relied on throughout |
| 8 | that idempotency *never* expires: only events that are stamped hours ago are tried |
| 6 | that a decline is forgotten in the end |
| 10 | the previous key while keys are changed, and comparison in constant time |
| 13 | that memory stays bounded and the connection is closed: a proxy may stand between |
| 18 | source addresses: ours is the one that it is |
| 33 | that a session ends hours after its last use |
| 70 | the Idempotency-Key: an affair of the admin API |
| always | that an R0 is committed, that all accounts sum to 0, what a crash leaves |

## Cases
`wire` and `always` stand for [wire.md](wire.md) and the last section of [semantics.md](semantics.md#always), `identity`
for its [first](semantics.md#identity).
"""


def reference() -> str:
    """The whole page, as Markdown."""
    return INTRODUCTION + "".join(
        _table(str(phase.value), list(group)) for phase, group in groupby(all_cases(), key=lambda case: case.phase)
    )


def _table(phase: str, cases: list[Case]) -> str:
    rows = "".join(f"| `{case.name}` | {case.row} | {_cell(case.title)} |\n" for case in cases)
    return f"\n### Phase {phase}\n| case | row | expects |\n|---|---|---|\n{rows}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(reference())
