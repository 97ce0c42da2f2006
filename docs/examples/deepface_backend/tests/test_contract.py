"""The rules that every backend keeps, against the double."""

from collections.abc import Iterator

import pytest
from facematch_core.testing import BackendContract

from facematch_deepface._double import DeepfaceDouble


class TestContract(BackendContract):
    @pytest.fixture
    def double(self) -> Iterator[DeepfaceDouble]:
        with DeepfaceDouble() as double:
            yield double
