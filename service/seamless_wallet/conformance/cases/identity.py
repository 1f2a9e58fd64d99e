"""Rows 2 to 6 and 8: a bet has an identity of its own, and a decline that of its event."""

from __future__ import annotations

from seamless_wallet.conformance.case_context import CaseContext
from seamless_wallet.conformance.case_events import R0, R3, R4, CaseEvent
from seamless_wallet.conformance.case_player import CasePlayer
from seamless_wallet.conformance.case_registry import MUST, OURS, SHOULD, Phase, cases_of

case = cases_of(Phase.IDENTITY)

COLD_S = -3 * 3600


@case("3", SHOULD)
async def transaction_id_of_another_player(context: CaseContext) -> None:
    """Two players use the same transaction_id: two events, R0 for both."""
    player, other = await context.player(), await context.player()
    bet = player.round().bet(500)
    await bet.gets(R0, moves=-500)
    theirs = other.round().bet(300).put("transaction_id", bet.fields["transaction_id"], "another player's id")
    await theirs.gets(R0, moves=-300)
    await bet.gets(R0)
    await theirs.gets(R0)


@case("3", MUST)
async def round_of_another_player(context: CaseContext) -> None:
    """Two players bet in a round of the same number: two bets, R0 for both."""
    player, other = await context.player(), await context.player()
    mine = player.round()
    theirs = other.round(mine.game_no)
    await mine.bet(500).gets(R0, moves=-500)
    await theirs.bet(300).gets(R0, moves=-300)
    await mine.cancel(500).gets(R0, moves=500)
    await theirs.result((300, 300)).gets(R0, moves=600)


@case("4", MUST)
async def bet_again_under_another_id(context: CaseContext) -> None:
    """The same bets as a new event: R0, nothing is taken."""
    player = await context.player()
    bet = player.round().bet(500, 20)
    await bet.gets(R0, moves=-520)
    await bet.renewed().gets(R0)
    await bet.renewed().gets(R0)


@case("4", MUST)
async def settled_bet_again_under_another_id(context: CaseContext) -> None:
    """A bet that is settled comes as a new event: R0, nothing is taken."""
    player = await context.player()
    game = await player.settled((500, 475))
    await game.bet(500).gets(R0)


@case("4", MUST)
async def batch_with_a_placed_bet(context: CaseContext) -> None:
    """One bet of a batch is placed already: R0, and only the new one is taken."""
    player = await context.player()
    game = await player.placed(500)
    await game.bet(500, 20).gets(R0, moves=-20)


@case("4", MUST)
async def placed_bet_without_money(context: CaseContext) -> None:
    """Every bet of the event is placed already: R0, even if the balance would not cover it."""
    player = await context.player()
    game = await player.placed(500)
    await player.lose_all()
    await game.bet(500).gets(R0)


@case("5", SHOULD)
async def placed_bet_with_another_stake(context: CaseContext) -> None:
    """A bet that is placed comes as a new event with another stake: R3, nothing moves."""
    player = await context.player()
    game = await player.placed(500)
    await game.bet(501).gets(R3)
    await game.bet(499, 10).gets(R3)
    await game.cancel(500).gets(R0, moves=500)


@case("6", SHOULD)
async def declined_bet_stays_declined(context: CaseContext) -> None:
    """A bet is R4, then money arrives: the same event is R4 again."""
    player = await context.player()
    bet = player.round().bet(player.has + 100)
    await bet.gets(R4)
    await player.win(200)
    await bet.gets(R4)
    await bet.gets(R4)


@case("6", SHOULD)
async def declined_bet_under_another_id(context: CaseContext) -> None:
    """A bet is R4, then money arrives: the same bet as a new event is R0."""
    player = await context.player()
    bet = player.round().bet(player.has + 100)
    await bet.gets(R4)
    await player.win(200)
    await bet.renewed().gets(R0, moves=-player.has + 100)
    await bet.gets(R4)


@case("6", OURS)
async def declined_bet_with_other_content(context: CaseContext) -> None:
    """Another amount under the transaction_id of an R4: R3, though the balance covers it (row 2)."""
    player = await context.player()
    game = player.round()
    bet = game.bet(player.has + 100)
    await bet.gets(R4)
    await game.bet(50).put("transaction_id", bet.fields["transaction_id"], "the id of an R4").gets(R3)
    await game.bet(50).gets(R0, moves=-50)


async def refused_for_its_state(player: CasePlayer) -> CaseEvent:
    """A bet that was R3, because it had been placed and cancelled before."""
    game = await player.placed(500)
    await game.cancel(500).gets(R0, moves=500)
    bet = game.bet(500)
    await bet.gets(R3)
    return bet


@case("6", MUST)
async def bet_refused_for_its_state_stays_refused(context: CaseContext) -> None:
    """A bet is R3 because it was cancelled: the same event is R3 again."""
    refused = await refused_for_its_state(await context.player())
    await refused.gets(R3)


@case("6", OURS)
async def refusal_for_its_state_is_remembered(context: CaseContext) -> None:
    """Another bet under the transaction_id of a bet that is R3 because it was cancelled: R3 (row 2)."""
    player = await context.player()
    refused = await refused_for_its_state(player)
    await player.round().bet(500).put("transaction_id", refused.fields["transaction_id"]).gets(R3)


@case("2", OURS)
async def conflict_with_a_login(context: CaseContext) -> None:
    """A bet has the transaction_id of a login: R3, nothing is taken."""
    player = await context.player()
    login = player.login()
    await login.gets(R0)
    await player.round().bet(100).put("transaction_id", login.fields["transaction_id"]).gets(R3)


@case("8", SHOULD)
async def old_bet_again_under_another_id(context: CaseContext) -> None:
    """A bet with a timestamp of hours ago comes again under a new id: R0, taken once."""
    player = await context.player()
    bet = player.round().bet(500)
    old = bet.stamped(COLD_S)
    is_too_old = 0 < context.choices.bet_age_max_s < -COLD_S
    await (bet if is_too_old else old).gets(R0, moves=-500)
    await old.gets(R0)
    await old.renewed().gets(R0)


@case("8", MUST)
async def old_events_of_a_round(context: CaseContext) -> None:
    """A result and a cancel with timestamps of hours ago find their bets: R0, and each moves once."""
    player = await context.player()
    game = await player.placed(500, 300)
    result, cancel = game.result((500, 475)).stamped(COLD_S), game.cancel(300, at=2).stamped(COLD_S)
    await result.gets(R0, moves=975)
    await cancel.gets(R0, moves=300)
    await result.gets(R0)
    await cancel.renewed().gets(R0)


@case("identity", MUST)
async def rounds_and_indexes_do_not_run_together(context: CaseContext) -> None:
    """Round and index differ, but their digits are the same when joined: different bets, R0 for each."""
    player = await context.player()
    base = context.unique_id()
    for game_no, index in ((f"{base}1", "23"), (f"{base}12", "3"), (base, "123")):
        bet = player.round(game_no).bet(7).put("data.bets.0.bet_index", index, f"round {game_no}, index {index}")
        await bet.gets(R0, moves=-7)


@case("identity", SHOULD)
async def identities_do_not_run_together(context: CaseContext) -> None:
    """Round and index differ, but are equal when joined: different bets, R0 for each."""
    player = await context.player()
    base = context.unique_id()
    pairs = ((f"{base}1", "23"), (f"{base}12", "3"), (f"{base}:1", "2"), (base, "1:2"), (f"{base}|1", "2"))
    for game_no, index in (*pairs, (base, "1|2"), (f"{base} 1", "2"), (base, "1 2")):
        bet = player.round(game_no).bet(7).put("data.bets.0.bet_index", index, f"round {game_no}, index {index}")
        await bet.gets(R0, moves=-7)


@case("identity", MUST)
async def players_and_events_do_not_run_together(context: CaseContext) -> None:
    """User and transaction_id differ, but are equal when joined: different events, R0 for each."""
    base, number = f"conf-{context.unique_id()}", context.unique_id()
    player, other = await context.new_player(base, 1000), await context.new_player(f"{base}1", 1000)
    await player.round().bet(100).put("transaction_id", f"1{number}").gets(R0, moves=-100)
    await other.round().bet(200).put("transaction_id", number).gets(R0, moves=-200)
