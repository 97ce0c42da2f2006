"""RateLimiter against the mock's own windows: in many threads, without anybody really waiting."""

import pytest
from kit.gate_clocks import Hurried, Shared

from facematch_core import FaceVerifier, Image
from facematch_core.errors import RateLimited
from facematch_core.resilience import RateLimiter, RateWindow
from facematch_didit import DiditBackend
from facematch_mock_server import MockServer, card_sheet

LIMIT, THREADS, EACH = 5, 16, 3


@pytest.fixture(scope="module")
def cards():
    """Two pictures of one person."""
    return tuple(Image.from_bytes(card_sheet()[name].data) for name in ("p1", "p1-again"))


@pytest.fixture
def mock():
    """A vendor that takes few calls in a minute."""
    with MockServer(seed=5, switches={"write_limit": LIMIT}) as server:
        yield server


def backend_of(mock):
    """A backend that asks it."""
    return DiditBackend(api_key=mock.live_key, base_url=mock.url)


def ask_all(mock, cards, clock, gates):
    """Every thread makes its calls; the errors."""
    errors = []

    def work():
        for _ in range(EACH):
            try:
                verifier.verify(*cards)
            except RateLimited as error:
                errors.append(error)

    with FaceVerifier(backend_of(mock), policies=gates, clock=clock) as verifier:
        clock.run(*[work] * THREADS)
    return errors


@pytest.mark.parametrize("kind", [Shared, Hurried])
def test_16_threads_never_exceed_the_rate(mock, cards, kind):
    """Not one call is refused, also if time goes on while calls are on their way."""
    clock = kind(moved=mock.control.advance)
    began = mock.control.now()
    pacing = RateLimiter([RateWindow(LIMIT, 60.0)], count_from="ended", max_wait_s=1e9, clock=clock)
    assert ask_all(mock, cards, clock, [pacing]) == []
    assert [entry.status for entry in mock.control.journal()] == [200] * THREADS * EACH
    assert len(mock.control.charges()) == THREADS * EACH
    if kind is Shared:
        # No slower than the vendor's rate asks for: calls take no time of this clock.
        windows = THREADS * EACH // LIMIT
        assert (mock.control.now() - began).total_seconds() == pytest.approx(60 * windows, abs=1)


def test_without_pacing_they_do(mock, cards):
    """So that the test above can fail."""
    errors = ask_all(mock, cards, Shared(), [])
    assert len(errors) == THREADS * EACH - LIMIT


def test_the_mocks_word_holds_everybody_back(mock, cards):
    """Others use the key, too: after the first refusal nobody asks before the vendor said so."""
    clock = Shared(moved=mock.control.advance)
    with FaceVerifier(backend_of(mock)) as other:
        for _ in range(LIMIT):
            other.verify(*cards)
    # By our own windows there would be room.
    pacing = RateLimiter([RateWindow(1000, 60.0)], max_wait_s=1e9, clock=clock)
    with FaceVerifier(backend_of(mock), policies=[pacing], clock=clock) as verifier:

        def work():
            with pytest.raises(RateLimited) as caught:
                verifier.verify(*cards)
            assert verifier.verify(*cards).is_match
            return caught.value.retry_after_s

        (after_s,) = clock.run(work)
    assert 0 < after_s <= 60
    assert [entry.status for entry in mock.control.journal()].count(429) == 1
