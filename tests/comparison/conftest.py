import os

import pytest
from hypothesis import settings

#: An oracle by another hand holds beside most properties here; `make test-long` tries more.
settings.register_profile("few", parent=settings.get_profile("default"), max_examples=15)


@pytest.fixture(autouse=True, scope="module")
def _few_examples():
    profile = os.environ.get("HYPOTHESIS_PROFILE", "default")
    settings.load_profile("few" if profile == "default" else profile)
    yield
    settings.load_profile(profile)
