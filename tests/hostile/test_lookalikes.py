"""Ids that look alike, or like a part of a key: each is a player, a round, a bet, an event of its own."""

from __future__ import annotations

import json
from collections import Counter
from unicodedata import normalize

from hypothesis import given, settings
from hypothesis import strategies as st

from seamless_wallet.commands import Kind, digest
from seamless_wallet.engine import keys

LOOKALIKES = (
    *(
        "jo",
        "jo ",
        " jo",
        "JO",
        "Jo",
        "j\u043e",
        "jo\u200b",
        "jo\u00a0",
        "\ufeffjo",
        "jo\u0301",
        normalize("NFC", "jo\u0301"),
    ),
    *(
        "jo:0",
        "jo:1",
        "jo:",
        ":jo",
        "1:jo",
        "{0}:jo",
        "{jo}",
        "}jo{",
        "*",
        "jo*",
        "j?",
        "[j]o",
        "\\jo",
        "jo\\",
        "'jo'",
        '"jo"',
    ),
    *(
        "jo%00",
        "jo\u2028",
        "\uff4a\uff4f",
        "\U0001f642",
        "jo/..",
        "../jo",
        "-1",
        "0",
        "null",
        "\u202eoj",
        "%s",
        "jo;--",
    ),
)
ids = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=8) | st.sampled_from(LOOKALIKES)


def test_players_who_look_alike_have_their_own_money(door):
    """Each has put in another amount and bets 100.00 of it in the same round, under the same transaction_id."""
    for number, user in enumerate(LOOKALIKES):
        door.fund(user, 10_000 * (number + 1))
    for user in LOOKALIKES:
        event = door.event(Kind.BET, size=1, user_id=user, transaction_id="same", game_no="same")
        assert door.call("blocks", json.dumps(event, ensure_ascii=False).encode()) == "R0", user
    for number, user in enumerate(LOOKALIKES):
        wallet = door.town.run(door.town.w.ledger.wallet(user))
        assert (wallet.user_id, wallet.balance) == (user, 10_000 * number)


def test_rounds_bets_and_events_that_look_alike_are_different(door):
    """One player, each look-alike in each place once: every bet is taken."""
    door.fund("ida", 10_000 * 3 * len(LOOKALIKES))
    for alike in LOOKALIKES:
        for fields in ({"transaction_id": alike}, {"game_no": alike}, {}):
            event = door.event(Kind.BET, size=1, user_id="ida", **fields)
            if not fields:
                event["data"]["game_no"] = "indexes"
                event["data"]["bets"][0]["bet_index"] = alike
            assert door.call("blocks", json.dumps(event).encode()) == "R0"
    assert door.town.run(door.town.w.ledger.wallet("ida")).balance == 0
    assert door.town.run(door.town.w.check(["ida"], load=False))["ida"].version == 2 + 3 * len(LOOKALIKES)


def test_two_providers_may_use_the_same_ids(door):
    """One transaction_id, round and bet_index of one player: two events, two bets, two stakes (row 3)."""
    door.fund("una", 30_000)
    for left, name in ((20_000, "blocks"), (10_000, "sealed")):
        event = door.event(Kind.BET, name, size=1, user_id="una", transaction_id="shared", game_no="shared")
        for _ in range(2):
            assert door.call(name, json.dumps(event).encode()) == "R0"
            assert door.town.run(door.town.w.ledger.wallet("una")).balance == left


@settings(max_examples=300, deadline=None)
@given(users=st.lists(ids, min_size=2, max_size=12, unique=True), epochs=st.integers(1, 12), periods=st.integers(0, 12))
def test_no_two_things_share_a_key(users, epochs, periods):
    """Wallets and events of any users, epochs and periods of a shard, its head and its streams."""
    names = [keys.head(0)]
    for epoch in {epochs, epochs + 1, epochs * 10 + 1}:
        names += [keys.stream(0, epoch), *(keys.round_(0, epoch, digest("round", user)) for user in users)]
        for user in users:
            names.append(keys.wallet(0, epoch, user))
            names += [keys.events(0, epoch, user, period) for period in {periods, periods + 1, periods * 10 + 1}]
            assert keys.epoch_of(keys.wallet(0, epoch, user)) == ("0", epoch)
    assert [name for name, number in Counter(names).items() if number > 1] == []


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(ids | st.integers(-5, 5), max_size=4).map(tuple), min_size=2, max_size=20, unique_by=repr))
def test_no_two_lists_share_a_digest(lists):
    """Parts that join alike are different parts: ("ab", "c") and ("a", "bc"), ("1",) and (1,)."""
    assert len({digest(*parts) for parts in lists}) == len(lists)
