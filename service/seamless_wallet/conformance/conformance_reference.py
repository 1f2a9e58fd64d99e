"""Writes docs/conformance.md: `python -m seamless_wallet.conformance.conformance_reference > docs/conformance.md`."""

from __future__ import annotations

import sys
from itertools import groupby
from typing import Final

from seamless_wallet.conformance.case_registry import Case
from seamless_wallet.conformance.case_selection import all_cases

INTRODUCTION: Final = """\
# Conformance

`wallet conformance URL` tests a wallet from outside, as its provider would, and tells which rows of
[semantics.md](semantics.md) hold. It knows nothing of the wallet but its webhook. So it serves for every implementation
of [wire.md](wire.md): this one, or one of your own in any language.

This page is made from the code: `python -m seamless_wallet.conformance.conformance_reference > docs/conformance.md`.

## This service
Beside a running `wallet up`, with the same settings, no option is needed:
```sh
wallet conformance
```
`--provider` chooses a provider if there are several. `--verbose` shows every case. The run makes new players called
`conf-…`, who play and stay: do this on a test installation.

## Your own wallet
Pass the webhook, its credentials, and where players come from:
```sh
wallet conformance https://wallet.example/webhook/acme --api-id operator-17 --api-key-file acme.key \\
    --currency KRW --player ann --player bob
wallet conformance https://wallet.example/webhook/acme --api-id operator-17 --api-key-file acme.key \\
    --currency KRW --hook ./back-office-hook
```
- `--player`: one or two existing players who are active and owe nothing. They play one case after the other, and some
  cases wait until the grace after a logout is over. With 10 s of grace this takes over two minutes. Nobody else may
  play with them meanwhile, and their balances change. If they have too little money, they win it in a round without a
  stake.
- `--hook CMD`: a program of yours that does what a webhook cannot. With it, each case has new players, unless you pass
  `--player`.
- `--admin-url`, `--admin-token-file`: the same through our [admin API](admin-api.md).
- `--cipher`, `--key-encoding`, `--reply-body` and `--scale` (decimal digits of the currency; default 2):
  [settings.md](settings.md#providers) explains them.

A case that needs something that is not there is skipped, and the report says why.

Nothing else is read: neither settings nor files of this program. The options are those of `wallet simulate` as well. It
plays ordinary rounds and every kind of trouble at random, and works out each answer from the case table:
```sh
wallet simulate https://wallet.example/webhook/acme --api-id operator-17 --api-key-file acme.key \\
    --currency KRW --hook ./back-office-hook --players 20 --rounds 50
```
With `--player` and without a hook, `wallet simulate` wins what a player needs, with a stake of one unit. It asks for no
more than `create`, `deposit` and `balance`.

### The hook
The hook is a command line and runs without a shell:
```text
CMD create USER CURRENCY
CMD deposit USER AMOUNT CURRENCY
CMD withdraw USER AMOUNT CURRENCY
CMD block USER
CMD unblock USER
CMD balance USER CURRENCY          prints the balance
```
- `AMOUNT` is a decimal number of major units, such as `100.00`.
- Exit status 0: done, and in force. 69: the hook has no such action, and cases that need it are skipped. Any other:
  refused; the report shows the end of what the hook printed on stderr and stdout.
- Every case needs `create` and `deposit`. If they are refused for an ordinary player, no more cases with players are
  played. To create an existing player is not an error.
- Each call is one action, done once. Several calls may run at the same time.
- A `USER` has ASCII letters, digits and hyphens. Only the cases about ids that look alike use other characters.

[back-office-hook.sh](back-office-hook.sh) is a hook for our own admin API, in a few lines of curl.
`wallet conformance --print-hook` prints it.

### How the wallet is configured
Rows marked (cfg) have a default. If your wallet is configured otherwise, pass it. The same goes for two limits:

| option | default | row |
|---|---|---|
| `--session` | `required`; or `off` | 33 |
| `--cancel-unknown` | `tombstone`; or `r3` | 43 |
| `--change-overdraw` | `debt`; or `reject` | 66 |
| `--bet-age-max-s` | 0: bets of any age are taken; or a highest age in seconds | 35 |
| `--grace-s` | 10 seconds after a logout in which bets are taken. Some cases wait for its end | 33 |
| `--body-bytes-max` | 4194304 | 13 |

## Levels
Not every row is the provider's. So each case has a level:

- **must**: the provider's guide says it. Or money or the key is at risk with what a provider can really send: retries,
  events out of order or at the same time, a player with too little money.
- **should**: hardening against what a provider in order never sends: malformed, forged or contradictory events.
- **ours**: a policy of this wallet, where the guide leaves the choice: limits, forms, the order of checks, rows marked
  (cfg).

A wallet that passes all of *must* is sound. Every case is played and reported. But only failures that count give the
exit status 1: those of *must*, unless `--level should` or `--level ours` says that more shall count. Look at each
failure of *should*, and decide. A failure of *ours* tells that your wallet has another policy.

A choice that an option can name (`--session off`) is not a failure: then the cases expect that choice.

## The report
The report has a line for each phase and each level. For each failure it shows what was expected, what came, and the
event that was sent. Failures with the same text are shown together, and those that count come first.

- `--json` prints one document: `version` of the program; `target` and `options`, without secrets; `level`; `ok`,
  which says whether any failure counts; `duration_s`; `cases`, each with `name`, `row`, `phase`, `level`, `status`
  (`pass`, `fail` or `skip`), `duration_s` and `detail`; and a `summary`, also `by_level`.
- `--junit FILE` writes JUnit XML, which CI servers read. There, a failure that does not count is skipped, with what was
  found. Cases play at the same time. So the time of a case is its share of the run, and all times add up to the run.
- `--list` lists the cases and plays none. `--only` plays some: `--only 'cancel-*'`, `--only row:66`,
  `--only level:must`.
- `--fail-fast` begins no further case after the first failure that counts.

| exit status | means |
|---|---|
| 0 | no case failed that counts |
| 1 | a case that counts failed, or with `--strict` was skipped |
| 2 | wrong usage, or no wallet that can be tested |

With exit status 2, one line says why, before the first case: nothing listens at the URL, or no webhook does; the
credentials, the cipher or the profile are wrong; a player is unknown; the hook does not run or makes no player; the
report cannot be written.

Every case uses its own rounds and ids. Each answer is checked for its code, for `latest_balance` to the last digit, and
for the echo of `event_type`, `timestamp` and `user_id`. Only R0 has to tell `latest_balance`; one that another answer
tells must be right, too. At the end of a case, a login must tell the same balance for every player who took part.

If the balance of a `--player` is finer than the currency, the cases that are about exact amounts fail. All others judge
balances to within a minor unit, and the report says so.

After an R1 that is not due, or a connection that ends without an answer, the event is sent again up to three times, as
a provider does (row 7). The report says so. Redirections are not followed, because they would carry the key to another
address.

Phases 1 to 3 are the order in which the provider's overview has a wallet built: login and logout; bets, too little
money, cancels; results and their changes. The other phases are about what goes wrong in practice.

## What cannot be tested from outside
| row | why |
|---|---|
| 2, 4, 53 … | that something is *counted* or *logged*: only the wallet sees its metrics and logs |
| 3 | another provider's event with the same id: this needs a second provider |
| 7 | a transient failure: nobody can cause one from outside. But every case relies on the retry |
| 8 | that idempotency *never* expires: only events with timestamps of hours ago are tested |
| 6 | that a decline is forgotten after a while |
| 10 | the previous key during a change of keys, and comparison in constant time |
| 13 | that memory stays bounded and the connection is closed: a proxy may stand between |
| 18 | source addresses: the test has only its own |
| 33 | that a session ends hours after its last use |
| 70 | the Idempotency-Key: it belongs to the admin API |
| always | that an R0 is committed, that all accounts sum to 0, what a crash leaves |

## Cases
[Levels](#levels) are explained above. A row is a number of [semantics.md](semantics.md), `identity` for its
[first paragraph](semantics.md#identity), `always` for its [last](semantics.md#always), or `wire` for
[wire.md](wire.md).
"""


def reference() -> str:
    """The whole page, as Markdown."""
    return INTRODUCTION + "".join(
        _table(str(phase.value), list(group)) for phase, group in groupby(all_cases(), key=lambda case: case.phase)
    )


def _table(phase: str, cases: list[Case]) -> str:
    rows = "".join(f"| `{case.name}` | {case.level.value} | {case.row} | {_cell(case.title)} |\n" for case in cases)
    return f"\n### Phase {phase}\n| case | level | row | expects |\n|---|---|---|---|\n{rows}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(reference())
