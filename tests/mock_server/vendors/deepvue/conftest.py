import pytest
from kit.mock_world import new_engine
from vendors.deepvue import token_of


@pytest.fixture
def engine():
    return new_engine(vendor="deepvue")


@pytest.fixture
def token(engine):
    return token_of(engine)
