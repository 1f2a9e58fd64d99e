"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]

AdminUrl = Annotated[str, typer.Option(help="URL of the back office. Default: from the settings.", show_default=False)]

CaFile = Annotated[
    Path | None,
    typer.Option(
        help="Certificates of the authorities that are trusted, in PEM. Default: those of the system, or the "
        "certificate of the settings.",
        show_default=False,
    ),
]

ClientCertFile = Annotated[
    Path | None,
    typer.Option(help="Certificate and key of this client, in one file in PEM, if it needs one.", show_default=False),
]

TokenFile = Annotated[
    Path | None,
    typer.Option(help="File with the back office's token. Default: from the settings.", show_default=False),
]

AuditReason = Annotated[str, typer.Option("--reason", help="Why; it stands in the audit log.", show_default=False)]
