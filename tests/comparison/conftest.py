import os

import pytest
from hypothesis import settings

#: An oracle by another hand holds beside most properties here; `make test-long` tries more.
settings.register_profile("few", parent=settings.get_profile("fewer"), max_examples=15)


@pytest.fixture(autouse=True, scope="module")
def _few_examples(_as_many_examples_as_it_takes):
    if os.environ.get("HYPOTHESIS_PROFILE", "default") == "default":
        settings.load_profile("few")
