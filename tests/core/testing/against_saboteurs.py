"""One contract class per saboteur; collected by `test_teeth.py` alone, in a run of its own."""

import pytest
from core.testing.paragon import ParagonDouble
from core.testing.saboteurs import SABOTEURS

from facematch_core.testing import BackendContract


def _contract(backend_class):
    @pytest.fixture
    def double(self):
        with ParagonDouble(backend_class) as double:
            yield double

    return type(f"Test{backend_class.__name__}", (BackendContract,), {"double": double})


for _name, (_, _backend) in SABOTEURS.items():
    globals()[f"Test{_name}"] = _contract(_backend)
