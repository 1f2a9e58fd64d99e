"""Each reason in words: why a call was answered so, and what to do or to tell the provider. `docs/codes.md` has all."""

from __future__ import annotations

from typing import Final, NamedTuple


class Meaning(NamedTuple):
    """What a reason means. Both are whole sentences; `tell` may be empty."""

    why: str
    tell: str = ""


_RETRY: Final = "Send the same event again: it is decided once, however often it comes."
_WRONG: Final = "Correct the request: as it is, it can never succeed."
_KEYS: Final = "Compare the Api-Id, the Api-Key and the cipher with those that we have agreed on."

MEANINGS: Final[dict[str, Meaning]] = {
    # Processed.
    "login": Meaning("The session was opened or renewed."),
    "logout": Meaning("The session was closed."),
    "bet": Meaning("The stakes were taken."),
    "cancel": Meaning("The stakes were given back. A bet that was not placed yet is refused from now on."),
    "result": Meaning("The bets were settled."),
    "change": Meaning("The results were changed."),
    "change_superseded": Meaning(
        "This change was applied before, and the result is another one by now.", "Send no old changes again."
    ),
    "create": Meaning("The player was created."),
    "exists": Meaning("The player existed already."),
    "deposit": Meaning("Money was put in."),
    "withdraw": Meaning("Money was taken out."),
    "status": Meaning("The player was blocked or activated."),
    "repeated": Meaning(
        "Another event with the same effect was decided before. Nothing moved a second time.",
        "To repeat an event, send it with the id that it had.",
    ),
    "duplicate": Meaning(
        "Exactly this event was decided before. It was answered the same again, and nothing moved a second time."
    ),
    # Failed for now, or a policy says no.
    "backlog": Meaning("Too many entries waited for the ledger, so bets were refused for the moment.", _RETRY),
    "blocked": Meaning("The player is blocked.", "We have blocked this player: no login or bet is accepted."),
    "change_early": Meaning(
        "The change came before what it changes.", "Send the result, and the changes before this one, first."
    ),
    "change_outdated": Meaning(
        "The change is older than the last one that was applied.", "Send changes in the order of their times."
    ),
    "deadline": Meaning(
        "We did not get to an answer in time. The event may have been decided all the same: see what the money did.",
        _RETRY,
    ),
    "frozen": Meaning(
        "The ledger refused this player's entries again and again, so nothing is decided for him for ten minutes.",
        _RETRY,
    ),
    "ledger": Meaning("Our ledger could not be read at that moment.", _RETRY),
    "no_session": Meaning("The player has no open session.", "Send a login before the first bet."),
    "orphan": Meaning(
        "The result or change is of a bet that we do not know.",
        "Send the bet first, then this again. If the player was never charged for it, send neither.",
    ),
    "overflow": Meaning("An amount would be larger than what a balance can be.", "Check the amounts of this event."),
    "redis": Meaning("Our Redis was away, late or too busy at that moment.", _RETRY),
    "writer": Meaning("Nothing could be committed at that moment, so nothing was executed.", _RETRY),
    "fault": Meaning("A bug of ours: `webhook_error` in the log has more.", _RETRY),
    "settlements_only": Meaning(
        "Logins and bets of this provider are switched off (`accept`).", "We take only settlements at the moment."
    ),
    # Not valid, or not possible.
    "bet_cancelled": Meaning("This bet was cancelled, maybe before it came.", "A cancelled bet cannot be placed."),
    "bet_differs": Meaning("This bet was placed with another stake before.", "Use a new bet_index for a new bet."),
    "bet_too_old": Meaning("The bet is older than we accept (`bet_age_max_s`).", "Do not send bets that late."),
    "cancel_of_settled": Meaning("The bet was settled already.", "Send a change of result instead of a cancel."),
    "change_of_cancelled": Meaning("The bet was cancelled.", "A cancelled bet has no result to change."),
    "conflict": Meaning(
        "This transaction_id came before with other values.",
        "Use each transaction_id once. Unless you can explain it, treat it as an attack: somebody has your key.",
    ),
    "currency": Meaning(
        "It is not the player's currency, or none that this provider may send.",
        "Send each event in the currency of its player, and only in currencies that we have agreed on.",
    ),
    "result_of_cancelled": Meaning("The bet was cancelled.", "A cancelled bet cannot be settled."),
    "settled_differently": Meaning(
        "The bet was settled with another winloss before.", "Send a change of result instead of a second result."
    ),
    "stake_differs": Meaning("The stake is not that of the bet.", "Send the stake with which the bet was placed."),
    "too_many_changes": Meaning("The bet's result was changed 64 times.", "Settle this bet with us by hand."),
    "unknown_bet": Meaning("The cancel is of a bet that we do not know.", "Nothing was taken, so nothing is due."),
    "unknown_player": Meaning(
        "We have no such player.", "Check the user_id, and the case of its letters: we create players before they play."
    ),
    "winloss_below_stake": Meaning("More was lost than was staked.", "winloss is net: a lost bet is minus its stake."),
    "funds": Meaning(
        "The player's balance was less than what the event takes. Nothing was taken.",
        "Decline the bet. For another try use a new id.",
    ),
    # Unauthorized.
    "api_id": Meaning("The Api-Key was right and the Api-Id wrong.", _KEYS),
    "api_key": Meaning("The Api-Key was wrong or missing: it may be a stranger.", _KEYS),
    "body": Meaning("The body was too long, broken or late.", "Send the whole body at once, and a smaller one."),
    "method": Meaning(
        "It was no POST: the answer was HTTP 405, without a code.", "Send each event by POST to the webhook's URL."
    ),
    "no_provider": Meaning("No provider has this name in our settings.", "Check the path of the webhook's URL."),
    "path": Meaning(
        "Something follows the provider's name in the path: the answer was HTTP 404, without a code.",
        "Check the path of the webhook's URL: it ends with the name that we have agreed on, and all events go there.",
    ),
    "proxy_untrusted": Meaning(
        "The call came from a proxy that is not in WALLET_TRUSTED_PROXIES.",
        "Nothing: add the proxy to the setting, if it is yours.",
    ),
    "source": Meaning("The address is not in the provider's allow-list.", "Tell us the addresses that you call from."),
    "source_unreadable": Meaning(
        "What a trusted proxy wrote into X-Forwarded-For is no address.", "Nothing: correct the proxy."
    ),
    "undecryptable": Meaning(
        "The Api-Key was right, but the body did not decrypt with it: another key or cipher sealed it, or it changed.",
        "Encrypt the body with the key that you send as Api-Key, and with the cipher that we have agreed on.",
    ),
    # Wrong as sent.
    "amount": Meaning("An amount is negative, too fine for its currency, too large or no number.", _WRONG),
    "duplicate_key": Meaning("A JSON object has a key twice.", _WRONG),
    "event_type": Meaning("We do not know this event_type.", "Send only the events that we have agreed on."),
    "id": Meaning("An id is empty, longer than 128 characters, or has control characters.", _WRONG),
    "items": Meaning("There is no item, there are more than 500, or a bet_index is there twice.", _WRONG),
    "json": Meaning("The text is no JSON in UTF-8, or nested too deeply.", _WRONG),
    "schema": Meaning("A field is missing or of the wrong type.", _WRONG),
    "timestamp": Meaning("The timestamp is negative or after the year 9999.", _WRONG),
    "total": Meaning(
        "A total is not the sum of its items.", "Send as each total the sum of the items, or correct the items."
    ),
}
"""All reasons that a call may have."""
