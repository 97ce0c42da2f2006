"""Test cards beyond the ready ones, by a name that says what they show."""

from collections.abc import Mapping

from facematch_mock_server import card_sheet, make_card

#: Cards of the person p1 beside the ready ones.
MORE = {
    "attack": {"attack": True},
    "not-live": {"liveness": 12},
    "liveness-30": {"liveness": 30},
    "liveness-none": {"liveness": None},
    "dark": {"luminance": 8},
    "bright": {"luminance": 95},
    "blurred": {"quality": 10},
    "review": {"review": True},
    "score-30": {"score": 30.0},
    "turned-90": {"turned": 90},
    "turned-270": {"turned": 270},
}


class Cards(Mapping):
    """The bytes of a card by its name, drawn when somebody asks for it."""

    def __getitem__(self, name):
        return make_card("p1", **MORE[name]) if name in MORE else card_sheet()[name].data

    def __iter__(self):
        yield from (*card_sheet(), *MORE)

    def __len__(self):
        return len([*self])


CARDS = Cards()
