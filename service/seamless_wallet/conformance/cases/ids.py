"""The paragraph on ids: 1 to 128 characters, no control characters, and ids that look alike are different."""

from __future__ import annotations

import msgspec

from seamless_wallet.commands import ID_CHARS_MAX
from seamless_wallet.conformance.case_context import CaseContext
from seamless_wallet.conformance.case_events import R0, R3, CaseEvent, literal
from seamless_wallet.conformance.case_player import CasePlayer
from seamless_wallet.conformance.case_registry import OURS, SHOULD, Phase, cases_of

case = cases_of(Phase.IDENTITY)

PLACES = ("transaction_id", "user_id", "data.game_no", "data.bets.0.bet_index", "data.bets.0.bet_type")


def bet_with(player: CasePlayer, place: str, value: object) -> CaseEvent:
    """A good bet but for one id."""
    shown = bytes(value).decode() if isinstance(value, msgspec.Raw) else f"{value!a}"
    return player.round().bet(10).put(place, value, f"{place} = {shown[:40]}")


@case("identity", OURS)
async def ids_of_128_characters(context: CaseContext) -> None:
    """Ids of 128 characters, also beyond ASCII: R0, because characters count and not bytes."""
    player = await context.player()
    for letter in ("x", "한", "🂡"):
        start = context.unique_id()
        longest = start + letter * (ID_CHARS_MAX - len(start))
        for place in ("transaction_id", "data.game_no", "data.bets.0.bet_index"):
            await bet_with(player, place, longest).gets(R0, moves=-10)


@case("identity", OURS)
async def ids_of_129_characters(context: CaseContext) -> None:
    """An id of 129 characters: R3."""
    player = await context.player()
    for place in PLACES:
        await bet_with(player, place, "x" * (ID_CHARS_MAX + 1)).refused()


@case("identity", SHOULD)
async def ids_without_a_character(context: CaseContext) -> None:
    """An empty id: R3."""
    player = await context.player()
    for place in PLACES:
        await bet_with(player, place, "").refused()


@case("identity", SHOULD)
async def ids_with_control_characters(context: CaseContext) -> None:
    """An id with a control character of ASCII or Latin-1: R3."""
    player = await context.player()
    for char in ("\0", "\n", "\x1b", "\x7f", "\x85"):
        for place in PLACES:
            await bet_with(player, place, f"a{char}b").refused()


@case("identity", SHOULD)
async def ids_with_lone_surrogates(context: CaseContext) -> None:
    r"""An id with `\ud800`, which is half a character: R3."""
    player = await context.player()
    for place in PLACES:
        await bet_with(player, place, literal(r'"a\ud800b"')).refused()


@case("identity", SHOULD)
async def alike_rounds_are_different(context: CaseContext) -> None:
    """Rounds whose numbers only look alike (case, width, accents, white space): different bets, R0 for each."""
    player = await context.player()
    base = context.unique_id()
    for tail in ("é", "e\u0301", "É", "ｅ", "e", "e ", " e", "e\u200b", "е"):  # noqa: RUF001 - they look alike
        await player.round(base + tail).bet(10).gets(R0, moves=-10)


@case("identity", SHOULD)
async def alike_indexes_are_different(context: CaseContext) -> None:
    """Indexes 1, 01, 1.0 and a full-width 1: different bets, R0 for each."""
    player = await context.player()
    game = player.round()
    for index in ("1", "01", "1.0", "1 ", "１", "+1", "1e0"):  # noqa: RUF001 - they look alike
        await game.bet(10).put("data.bets.0.bet_index", index).gets(R0, moves=-10)


@case("identity", SHOULD)
async def alike_transactions_are_different(context: CaseContext) -> None:
    """Transaction ids that only look alike: different events, R0 for each."""
    player = await context.player()
    base = context.unique_id()
    for tail in ("a", "A", "a ", "ａ", "а", "á", "a\u0301"):  # noqa: RUF001 - they look alike
        await bet_with(player, "transaction_id", base + tail).gets(R0, moves=-10)


@case("21", SHOULD)
async def alike_players_are_unknown(context: CaseContext) -> None:
    """A user_id that only looks like that of a known player: R3."""
    player = await context.player()
    name = player.user_id
    for alike in (f"{name} ", f" {name}", f"{name}\u200b", f"\ufeff{name}", f"{name}\u0301"):
        await context.unknown_player(alike).round().bet(10).gets(R3)


@case("identity", SHOULD)
async def alike_players_have_their_own_money(context: CaseContext) -> None:
    """Two user_ids that look alike (é as one character or as two): two players, each with their own balance."""
    base = f"conf-{context.unique_id()}"
    composed, decomposed = await context.new_player(base + "é", 1000), await context.new_player(base + "e\u0301", 500)
    await composed.round().bet(100).gets(R0, moves=-100)
    await decomposed.round().bet(500).gets(R0, moves=-500)
