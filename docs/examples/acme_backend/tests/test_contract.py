"""The rules that every backend keeps, against Acme's double."""

from collections.abc import Iterator

import pytest
from acme_double import AcmeDouble

from facematch_core.testing import BackendContract


class TestContract(BackendContract):
    @pytest.fixture
    def double(self) -> Iterator[AcmeDouble]:
        with AcmeDouble() as double:
            yield double
