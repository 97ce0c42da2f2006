"""Marks that several folders give their tests."""

import os

import pytest

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that fork")
#: For a test that forks beside a thread of its own.
forks_beside_threads = pytest.mark.filterwarnings(
    "ignore:This process .* is multi-threaded:DeprecationWarning"
)
