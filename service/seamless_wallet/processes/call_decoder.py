"""Reads recorded requests again, so that the back office can have them decided."""

from __future__ import annotations

from collections.abc import Mapping

from seamless_wallet.calls.ports import StoredCall
from seamless_wallet.commands import Command, Policy
from seamless_wallet.ports import Clock
from seamless_wallet.providers import Invalid, Provider


class RecordedRequests:
    """Decodes with the providers of the settings. The event keeps its ids and its time; it is received now."""

    def __init__(self, providers: Mapping[str, Provider], clock: Clock) -> None:
        self._providers = providers
        self._clock = clock

    def command_of(self, stored: StoredCall) -> tuple[Command, Policy]:
        """What a call asked, and its provider's policy. Raises ValueError, with why it cannot be decided again."""
        call = stored.call
        provider = self._providers.get(call.provider)
        if provider is None:
            raise ValueError(f"there is no provider {call.provider} any more")
        if not call.request or call.replay_of:
            raise ValueError("there is no decrypted request to decide; of a replay, replay the call that it was of")
        if not call.key_slot:
            raise ValueError("who called had no right key")
        if stored.is_cut:
            raise ValueError("the request was too long to be kept whole")
        try:
            command = provider.profile.decode(call.request, provider, self._clock.now_ms()).command
        except Invalid as error:
            wrong = " ".join(part for part in (error.place, error.problem) if part)
            raise ValueError(f"the request is not valid: {error.reason} {wrong}".rstrip()) from None
        if not provider.takes(command.kind):
            raise ValueError(f"the provider {call.provider} takes only settlements")
        return command, provider.policy
