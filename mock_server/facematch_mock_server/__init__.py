"""A server that behaves like the vendors: their answers, thresholds, errors, sandboxes and bills.

from facematch_mock_server import MockServer

with MockServer() as mock:
    mock.url, mock.live_key            # give them to any client, in any language
    mock.control.set_outcome("match", score=12)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .cards import Card, card_sheet, make_card, read_card
    from .clock import VirtualClock
    from .control import Control
    from .faults import Fault, Kind, Stage
    from .server import MockServer

__all__ = [
    "Card",
    "Control",
    "Fault",
    "Kind",
    "MockServer",
    "Stage",
    "VirtualClock",
    "card_sheet",
    "make_card",
    "read_card",
]

#: Where each public name lives. It is imported when it is first used: the pytest plug-in lies in
#: this package, and a test run that does not use it pays for nothing.
_HOMES = {
    "Card": "cards",
    "Control": "control",
    "Fault": "faults",
    "Kind": "faults",
    "MockServer": "server",
    "Stage": "faults",
    "VirtualClock": "clock",
    "card_sheet": "cards",
    "make_card": "cards",
    "read_card": "cards",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
