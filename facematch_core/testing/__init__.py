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

try:
    import pytest
except ModuleNotFoundError as missing:
    if missing.name != "pytest":
        raise
    raise ImportError(
        "facematch_core.testing needs pytest: install it with "
        '`pip install "facematch-core[testing]"`.'
    ) from None

# Before they are imported: without it a failing rule would only say AssertionError.
pytest.register_assert_rewrite(f"{__name__}._contract")

from ._clock import ManualClock  # noqa: E402 - see above
from ._contract import BackendContract, Rule, rules  # noqa: E402 - see above
from ._double import VendorDouble  # noqa: E402 - see above
from ._http_double import HttpDouble  # noqa: E402 - see above
from ._http_messages import DoubleReply, DoubleRequest  # noqa: E402 - see above
from ._leaks import find_leaks, picture_samples, told_by  # noqa: E402 - see above
from ._pictures import noise, pictures_beyond  # noqa: E402 - see above
from ._situations import Situation  # noqa: E402 - see above

__all__ = [
    "BackendContract",
    "DoubleReply",
    "DoubleRequest",
    "HttpDouble",
    "ManualClock",
    "Rule",
    "Situation",
    "VendorDouble",
    "find_leaks",
    "noise",
    "picture_samples",
    "pictures_beyond",
    "rules",
    "told_by",
]
