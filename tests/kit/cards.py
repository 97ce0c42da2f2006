"""Test cards beyond the ready ones, by a name that says what they show."""

from facematch_mock_server import card_sheet, make_card

#: Bytes of a card by name: the ready ones, and some more of the person p1.
CARDS = {name: card.data for name, card in card_sheet().items()} | {
    "attack": make_card("p1", attack=True),
    "not-live": make_card("p1", liveness=12),
    "liveness-30": make_card("p1", liveness=30),
    "liveness-none": make_card("p1", liveness=None),
    "dark": make_card("p1", luminance=8),
    "bright": make_card("p1", luminance=95),
    "blurred": make_card("p1", quality=10),
    "review": make_card("p1", review=True),
    "score-30": make_card("p1", score=30.0),
    "turned-90": make_card("p1", turned=90),
    "turned-270": make_card("p1", turned=270),
}
