"""One contract class per saboteur; collected by `test_teeth.py` alone, in a run of its own."""

import pytest

from facematch_core.testing import BackendContract
from facematch_core.testing._saboteurs import SABOTEURS, ParagonDouble


def _contract(backend_class):
    @pytest.fixture
    def double(self):
        with ParagonDouble(backend_class) as double:
            yield double

    return type(f"Test{backend_class.__name__}", (BackendContract,), {"double": double})


for _name, _saboteur in SABOTEURS.items():
    globals()[f"Test{_name}"] = _contract(_saboteur.backend)
