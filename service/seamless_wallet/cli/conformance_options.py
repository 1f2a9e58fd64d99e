"""The options of `wallet conformance` alone, in the groups in which its help shows them."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from seamless_wallet.cli.target_options import of_choices
from seamless_wallet.conformance import Level

_of_run = partial(typer.Option, rich_help_panel="Run")
_of_report = partial(typer.Option, rich_help_panel="Report")

Grace = Annotated[
    float | None,
    of_choices(
        min=0, help="Row 33: seconds after a logout in which bets are taken. Default: from the settings, or 10."
    ),
]
BodyBytesMax = Annotated[
    int | None, of_choices(min=1024, help="Row 13: longest request body. Default: from the settings, or 4194304.")
]

Only = Annotated[
    list[str] | None, _of_run(help="Cases to play: a glob on names, row:66 or level:must. May be repeated.")
]
ListCases = Annotated[bool, _of_run("--list", help="List the cases and play none.")]
PrintHook = Annotated[
    bool, _of_run("--print-hook", help="Print an example of a hook, to be written to a file and changed.")
]
Concurrency = Annotated[int, _of_run(min=1, max=64, help="Cases that play at the same time, if players are new.")]
FailFast = Annotated[bool, _of_run("--fail-fast", help="Begin no further case after the first failure that counts.")]
LevelChoice = Annotated[
    Level,
    _of_report(
        help="Failures that count: must (the provider's protocol, money, the key), should (hardening, too) or ours "
        "(policies of this wallet, too). Others are only reported."
    ),
]
Strict = Annotated[bool, _of_report("--strict", help="Count a skipped case as a failure, if its level counts.")]
Json = Annotated[bool, _of_report("--json", help="Print one JSON document.")]
Junit = Annotated[Path | None, _of_report(help="Write a JUnit XML file.", show_default=False)]
Verbose = Annotated[bool, _of_report("--verbose", "-v", help="Show every case.")]
