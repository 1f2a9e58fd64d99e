"""Options that several commands have."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from seamless_wallet.clients.admin_api import AdminClient

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


@dataclass(frozen=True, slots=True, kw_only=True)
class BackOfficeOptions:
    """Where the back office is, and how it is called."""

    admin_url: AdminUrl = ""
    admin_token_file: TokenFile = None
    ca_file: CaFile = None
    client_cert_file: ClientCertFile = None

    def client(self, reason: str = "") -> AdminClient:
        """A client of it, which says why it does what it does. Raises SettingsError."""
        from seamless_wallet.cli.endpoints import admin_client

        return admin_client(self.admin_url, self.admin_token_file, self.ca_file, self.client_cert_file, reason=reason)
