"""The rules that every backend keeps, against the double."""

from collections.abc import Iterator

import pytest
from facematch_core.testing import BackendContract

from facematch_acme._double import AcmeDouble


class TestContract(BackendContract):
    @pytest.fixture
    def double(self) -> Iterator[AcmeDouble]:
        with AcmeDouble() as double:
            yield double
