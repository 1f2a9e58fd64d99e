"""Row 15 and 17: numbers that are no amounts, and currencies that are not the player's."""

from __future__ import annotations

from service.conformance.events import R0, R3, R4, Event
from service.conformance.player import Player
from service.conformance.registry import Phase, cases_of
from service.conformance.scene import Scene
from service.money import AMOUNT_MAX, json_number

case = cases_of(Phase.SCHEMA)


def bet_of(player: Player, text: str) -> Event:
    """A bet whose amount and total are written just so."""
    return player.round().bet(100).literally({"data.bets.0.bet_amount": text, "data.total_bet_amount": text})


@case("15")
async def negative_stakes(scene: Scene) -> None:
    """A stake below 0: R3 for bets and cancels, and no money is made."""
    player = await scene.player()
    for text in ("-1", "-0.01", "-1e9"):
        await bet_of(player, text).refused()
    game = player.round()
    await game.bet(100).gets(R0, moves=-100)
    await game.cancel(100).put("data.bet_cancels.0.bet_amount", -1).put("data.total_bet_cancel_amount", -1).refused()


@case("15")
async def negative_stake_within_a_batch(scene: Scene) -> None:
    """A negative stake hides behind a total that is right and positive: R3."""
    player = await scene.player()
    bet = player.round().bet(500, 300)
    texts = {"data.bets.0.bet_amount": "5", "data.bets.1.bet_amount": "-3", "data.total_bet_amount": "2"}
    await bet.literally(texts).refused()


@case("15")
async def not_a_number(scene: Scene) -> None:
    """NaN and Infinity, bare or as the strings that parsers take for them: R3."""
    player = await scene.player()
    for text in ("NaN", "Infinity", "-Infinity", "nan", '"NaN"', '"Infinity"', '"inf"'):
        await bet_of(player, text).refused()


@case("15")
async def exponents_beyond_measure(scene: Scene) -> None:
    """1e400, which a double takes for infinite, and 1e999999, which takes minutes to write out: R3 at once."""
    player = await scene.player()
    for text in ("1e400", "1e999999", "1E+999999999999999999999", "1e-400", "1e-999999", "-1e400"):
        await bet_of(player, text).refused()


@case("15")
async def finer_than_the_currency(scene: Scene) -> None:
    """One digit more than the currency has: R3, and it is not rounded."""
    player = await scene.player()
    finest = "0." + "0" * scene.scale
    for text in (f"{finest}1", f"1{finest[1:]}5", f"10{finest[1:]}4", f"1e-{scene.scale + 1}"):
        await bet_of(player, text).refused()


@case("15")
async def zeros_at_the_end_are_no_finer(scene: Scene) -> None:
    """1.000000000 is 1, and 1e0, 10e-1 and 0.1e1 are, too."""
    unit = 10**scene.scale
    player = await scene.player(100 * unit)
    for text in ("1.000000000", "1e0", "10e-1", "0.1E+1"):
        await bet_of(player, text).gets(R0, moves=-unit)


@case("15")
async def largest_amount(scene: Scene) -> None:
    """2^53 − 1 minor units are an amount, though nobody has them (R4); 2^53 and 2^53 + 1 are none (R3)."""
    player = await scene.player()
    await bet_of(player, json_number(AMOUNT_MAX, scene.scale)).gets(R4)
    for minor in (AMOUNT_MAX + 1, AMOUNT_MAX + 2, 2**63, 2**64 + 100, 10**30):
        await bet_of(player, json_number(minor, scene.scale)).refused()


@case("15")
async def winloss_that_is_no_amount(scene: Scene) -> None:
    """NaN, 1e400, over the cap or too fine as a winloss: R3; the bet can be settled afterwards."""
    player = await scene.player()
    game = player.round()
    await game.bet(100).gets(R0, moves=-100)
    finest = "0." + "0" * scene.scale + "1"
    for text in ("NaN", "1e400", json_number(AMOUNT_MAX + 1, scene.scale), finest):
        texts = {"data.bet_results.0.winloss": text, "data.total_winloss": text}
        await game.result((100, 95)).literally(texts).refused()
    await game.result((100, 95)).gets(R0, moves=195)


@case("17")
async def another_currency(scene: Scene) -> None:
    """A currency that is not the player's: R3, whatever the event."""
    player = await scene.player()
    other = "USD" if scene.currency != "USD" else "EUR"
    game = player.round()
    await player.round().bet(100).put("data.currency", other).gets(R3, whole_echo=False)
    await game.bet(100).gets(R0, moves=-100)
    await game.cancel(100).put("data.currency", other).refused()
    await game.result((100, 95)).put("data.currency", other).refused()
    await game.result((100, 95)).gets(R0, moves=195)


@case("17")
async def unknown_currencies(scene: Scene) -> None:
    """A currency that does not exist, is spelt otherwise or is empty: R3."""
    player = await scene.player()
    for currency in ("XXX", scene.currency.lower(), f"{scene.currency} ", ""):
        await player.round().bet(100).put("data.currency", currency).refused()
