"""For plug-in authors: the rules that every backend keeps, as tests to run unchanged.

In the plug-in's own repository::

    import pytest
    from facematch_core.testing import BackendContract

    class TestContract(BackendContract):
        @pytest.fixture
        def double(self):
            with MyDouble() as double:      # a VendorDouble: the vendor, on this machine
                yield double

It needs pytest: ``pip install "facematch-core[testing]"``. Nothing else of facematch does.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

try:
    import pytest
except ModuleNotFoundError as missing:
    if missing.name != "pytest":
        raise
    raise ImportError(
        "facematch_core.testing needs pytest: install it with "
        '`pip install "facematch-core[testing]"`.'
    ) from None

from ._card import Card
from ._clock import ManualClock
from ._conformance import conformance
from ._double import VendorDouble
from ._http_double import HttpDouble
from ._http_messages import DoubleReply, DoubleRequest
from ._leaks import find_leaks, picture_samples, told_by
from ._photographs import photograph
from ._pictures import noise, pictures_beyond
from ._self_test import SelfTest, self_test
from ._situations import Situation

if TYPE_CHECKING:
    from ._contract import BackendContract, Rule, rules

__all__ = [
    "BackendContract",
    "Card",
    "DoubleReply",
    "DoubleRequest",
    "HttpDouble",
    "ManualClock",
    "Rule",
    "SelfTest",
    "Situation",
    "VendorDouble",
    "conformance",
    "find_leaks",
    "noise",
    "photograph",
    "picture_samples",
    "pictures_beyond",
    "rules",
    "self_test",
    "told_by",
]


def __getattr__(name: str) -> Any:
    """The rules, imported when they are used: by then pytest runs and rewrites their assertions.

    Without that a failing rule would only say AssertionError.
    """
    if name not in ("BackendContract", "Rule", "rules"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    pytest.register_assert_rewrite(f"{__name__}._contract")
    return getattr(importlib.import_module("._contract", __name__), name)
