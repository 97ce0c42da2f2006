"""Whole lives over a real PostgreSQL server: see `simulation`."""

import itertools

import pytest
from simulation.test_lives import live, logs_of


@pytest.fixture
def addresses(postgres):
    return (postgres.new_database() for _ in itertools.count())


# A process that dies leaves its connections to the server behind.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("first", range(0, 20, 5))
def test_no_life_breaks_a_law(first, addresses):
    live(range(first, first + 5), addresses)


def test_same_number_is_the_same_life_in_another_process(addresses):
    assert len(logs_of(3, addresses)) == 1
