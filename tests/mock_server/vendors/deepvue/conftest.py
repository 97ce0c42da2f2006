import pytest
from kit.mock_deepvue import token_of
from kit.mock_didit import new_engine


@pytest.fixture
def engine():
    return new_engine(vendor="deepvue")


@pytest.fixture
def token(engine):
    return token_of(engine)
