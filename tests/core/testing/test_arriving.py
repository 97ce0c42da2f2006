"""What the rules about pictures, thresholds and diagnosis look at, and what they say of it."""

import sys
from typing import ClassVar

import attrs
import pytest
from mutants.reference import LIMITS, ReferenceBackend, ReferenceSimulator, can
from mutants.table import MUTANTS
from PIL import Image as Pillow

from facematch_core import Image, Retention
from facematch_core.testing import (
    BackendContract,
    Situation,
    find_leaks,
    noise,
    picture_samples,
)
from facematch_core.testing.bench import Bench
from facematch_core.testing.pictures import is_upright, turned

PICTURE = noise(7, (120, 80))
R42 = "test_r42_pictures_arrive_in_their_places"
R44 = "test_r44_keep_nothing_is_the_default"
R47 = "test_r47_diagnose_costs_nothing"


def judge(rule, backend=ReferenceBackend, simulator=ReferenceSimulator):
    """Run one rule against a backend."""
    bench = Bench(simulator(backend))
    getattr(BackendContract(), rule)(bench)
    bench.close()


def test_a_turned_picture_is_upright_to_its_reader():
    """With its orientation, turned in its pixels, and made smaller; not without."""
    size = PICTURE.width, PICTURE.height
    for orientation in range(2, 9):
        held = turned(PICTURE, orientation)
        assert held.upright_size == size
        assert (held.width, held.height) == (size[::-1] if orientation > 4 else size)
        assert is_upright(held.data, PICTURE)
        assert is_upright(Image.from_pil(held.to_pil()).data, PICTURE)
        assert is_upright(Image.from_pil(held.to_pil().reduce(2)).data, PICTURE)
    for turn in Pillow.Transpose:
        other = Image.from_pil(PICTURE.to_pil().transpose(turn))
        assert not is_upright(other.data, PICTURE)


def test_a_simulator_that_cannot_tell_is_named():
    """The rule stays open, and says what the simulator would have to do."""

    class Blind(ReferenceSimulator):
        received: ClassVar = {}

    with pytest.raises(pytest.skip.Exception) as skipped:
        judge(R42, simulator=Blind)
    assert str(skipped.value) == "Not tested: Blind does not say which pictures arrived."


def test_pictures_are_told_as_bytes():
    """A simulator that hands on base64 is told so, not the backend blamed."""

    class Texts(ReferenceSimulator):
        @property
        def received(self):
            return super().received | {"probe": "aGVsbG8="}

    with pytest.raises(AssertionError, match="must hold the pictures as bytes"):
        judge(R42, simulator=Texts)


def test_two_places_need_two_pictures():
    """One picture twice could not be told from the other."""

    class OneFace(ReferenceSimulator):
        def pictures(self):
            return PICTURE, PICTURE

    with pytest.raises(AssertionError, match="the simulator's two pictures are one"):
        judge(R42, simulator=OneFace)


def test_a_reference_may_have_limits_of_its_own():
    """What arrives as it is what was prepared for its place."""

    class SmallReferences(ReferenceBackend):
        capabilities = can(reference_limits=attrs.evolve(LIMITS, max_side_px=48))

    judge(R42, SmallReferences)


@pytest.mark.parametrize("name", ["SwappedPictures", "OrientationDropped"])
def test_a_failure_shows_no_picture(name):
    """What pytest prints of a failing rule goes into logs of others."""
    with pytest.raises(AssertionError) as failed:
        judge(R42, MUTANTS[name].backend)
    told = f"{failed.value!r} {failed.value}"
    for picture in ReferenceSimulator().pictures():
        for sample in picture_samples(picture):
            assert find_leaks(sample, told) == ()
    assert "the " in str(failed.value)
    assert "\\x" not in told


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_what_is_printed_is_heard(stream, capsys):
    """And goes no further."""

    class Printing(ReferenceBackend):
        def request(self, call):
            print(self.key.reveal(), file=getattr(sys, stream))
            return super().request(call)

    bench = Bench(ReferenceSimulator(Printing))
    with pytest.raises(AssertionError, match="in the console"):
        BackendContract().test_r21_nothing_leaks(bench, Situation.SAME_PERSON)
    bench.close()
    assert capsys.readouterr() == ("", "")


def test_a_vendor_that_always_keeps_is_asked_for_it():
    """A backend that declares KEEP alone refuses the call of somebody who has not said so."""

    class Archive(ReferenceBackend):
        capabilities = can(retention=frozenset({Retention.KEEP}))

    judge(R44, Archive)
