"""Which wallet conformance and the simulator play against, and what there is beside its webhook."""

from __future__ import annotations

import shlex
import ssl
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field
from shutil import which
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from seamless_wallet.clients.admin_api import PATIENCE_S, AdminClient, AdminError, AdminRefused, check_access
from seamless_wallet.clients.back_office_ports import AbsentPort, AdminApiPort, BackOfficePort, HookPort
from seamless_wallet.clients.webhook import ANSWER_LIMIT_S, is_http_url
from seamless_wallet.commands import Policy
from seamless_wallet.errors import WalletError
from seamless_wallet.exit_status import EXIT_USAGE
from seamless_wallet.provider_choices import CancelUnknownRule, ChangeOverdrawRule, SessionRule
from seamless_wallet.providers import Provider


class TargetError(WalletError):
    """There is no wallet that can be tried, or the command line does not say which. One line that says why."""

    exit_status = EXIT_USAGE


@dataclass(frozen=True, slots=True)
class OperatorChoices:
    """How the operator chose the rows marked (cfg), and the limits that a tester has to know."""

    session: str = SessionRule.REQUIRED
    cancel_unknown: str = CancelUnknownRule.TOMBSTONE
    change_overdraw: str = ChangeOverdrawRule.DEBT
    bet_age_max_s: int = 0
    """How old a bet may be that is not known yet, in seconds; 0: of any age."""
    grace_s: float = 10.0
    body_bytes_max: int = 4 * 2**20

    @property
    def policy(self) -> Policy:
        """The same as a provider's policy."""
        return Policy(
            session_required=self.session == SessionRule.REQUIRED,
            session_grace_ms=int(self.grace_s * 1000),
            cancel_unknown=self.cancel_unknown,
            change_overdraw=self.change_overdraw,
            bet_age_max_ms=self.bet_age_max_s * 1000,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One wallet. Without given players new ones are made.

    `decline_memory_s`: for how long the wallet promises to decline a bet again that it has declined (row 6).
    """

    provider: Provider
    url: str
    currency: str
    given_players: tuple[str, ...] = ()
    admin: tuple[str, str] | None = None  # URL and token of the back office
    hook: str = ""
    choices: OperatorChoices = field(default_factory=OperatorChoices)
    timeout_s: float = ANSWER_LIMIT_S
    decline_memory_s: float = 0.0
    tls: ssl.SSLContext | None = None  # which servers are trusted; None: those that the system trusts

    @property
    def scale(self) -> int:
        """Decimal digits of the currency."""
        return self.provider.scales[self.currency]

    @property
    def shown(self) -> dict[str, Any]:
        """Which wallet it is, for a report: plain values without secrets."""
        return {
            "url": self.shown_url,
            "profile": self.provider.profile.name,
            "reply_body": self.provider.reply_body.value,
            "currency": self.currency,
            "scale": self.scale,
        }

    @property
    def shown_options(self) -> dict[str, Any]:
        """What was said of it, for a report: plain values without secrets."""
        back_office = "hook" if self.hook else "admin-api" if self.admin else "none"
        return {
            **asdict(self.choices),
            "players": list(self.given_players),
            "back_office": back_office,
            "timeout_s": self.timeout_s,
        }

    @property
    def shown_url(self) -> str:
        """The webhook's URL without what may be secret in it: user, password, query."""
        return url_without_secrets(self.url)


def url_without_secrets(url: str) -> str:
    """A URL without user, password, query and fragment."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def check_target(target: Target) -> None:
    """Whether there is enough to play with. Raises TargetError."""
    if not is_http_url(target.url):
        raise TargetError(f"{target.url!r} is not the http:// URL of a webhook")
    if target.currency not in target.provider.currencies:
        known = ", ".join(target.provider.currencies)
        raise TargetError(
            f"provider {target.provider.name} is not configured for {target.currency}; "
            f"pass --currency with one of: {known}"
        )
    if len(set(target.given_players)) < len(target.given_players):
        raise TargetError("--player: the same player twice; the second must be another one")
    _check_hook(target.hook)
    if not (target.given_players or target.admin or target.hook):
        raise TargetError("no players to play with; pass --player (twice), --admin-url or --hook")


def _check_hook(hook: str) -> None:
    """Whether it is a command line, and its program is there. Raises TargetError."""
    try:
        words = shlex.split(hook)
    except ValueError as error:
        raise TargetError(f"--hook: {hook!r} is not a command line: {error}") from None
    if hook and (not words or which(words[0]) is None):
        raise TargetError(f"--hook: {hook!r} cannot be run: no such program, or not executable")


async def open_back_office(
    target: Target, stack: AsyncExitStack, *, patience_s: float = PATIENCE_S, persistent: bool = False
) -> BackOfficePort:
    """The back office, open until the stack is closed, and asked once whether it is there. Raises TargetError.

    `patience_s` and `persistent` are those of a client of our admin API.
    """
    if target.hook:
        return HookPort(target.hook)
    if target.admin is None:
        return AbsentPort()
    url, token = target.admin
    try:
        await check_access(url, token, target.tls)
    except AdminRefused as error:
        raise TargetError(f"the back office at {url}: {error}") from None
    except AdminError as error:
        raise TargetError(str(error)) from None
    admin = AdminClient(url, token, target.tls, patience_s=patience_s, persistent=persistent)
    return AdminApiPort(await stack.enter_async_context(admin))
