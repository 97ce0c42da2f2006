"""Test kit for plug-in authors: a contract of tests that every backend must pass unchanged.

Start with `BackendContract`. Requires the extra ``testing``, which includes pytest.
"""

from __future__ import annotations

try:
    import pytest  # noqa: F401 - only checks that pytest is installed
except ModuleNotFoundError as missing:
    if missing.name != "pytest":
        raise
    from facematch_core.base.extras import install_command

    needs = f"facematch_core.testing needs pytest: {install_command('testing')}"
    raise ImportError(needs) from None

from .bench import ManualClock
from .contract import BackendContract
from .leaks import find_leaks, picture_samples, told_by
from .pairs import PairSimulator
from .pictures import noise, photograph, pictures_beyond
from .simulator import (
    EngineSimulator,
    HttpSimulator,
    Refusal,
    SessionCase,
    SessionSimulator,
    SessionWebhook,
    SessionWord,
    SimulatorReply,
    SimulatorRequest,
    Situation,
    VendorSimulator,
    Verdict,
    WrongRequest,
)

__all__ = [
    "BackendContract",
    "EngineSimulator",
    "HttpSimulator",
    "ManualClock",
    "PairSimulator",
    "Refusal",
    "SessionCase",
    "SessionSimulator",
    "SessionWebhook",
    "SessionWord",
    "SimulatorReply",
    "SimulatorRequest",
    "Situation",
    "VendorSimulator",
    "Verdict",
    "WrongRequest",
    "find_leaks",
    "noise",
    "photograph",
    "picture_samples",
    "pictures_beyond",
    "told_by",
]
