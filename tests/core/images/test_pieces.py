"""What is kept of a file is put together with one copy, and with none if it is all."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from facematch_core._pictures._pieces import Pieces

DATA = bytes(range(100)) * 3

stretches = st.tuples(st.integers(0, 300), st.integers(0, 300)).map(sorted).map(tuple)
steps = st.lists(
    st.one_of(stretches, st.binary(max_size=3), stretches.map(lambda s: DATA[slice(*s)]))
)


@given(steps)
def test_the_pieces_stand_one_after_the_other(steps):
    """Whatever is kept or put, in whatever order."""
    pieces = Pieces(DATA)
    for step in steps:
        if isinstance(step, bytes):
            pieces.put(step)
        else:
            pieces.keep(*step)
    wanted = b"".join(step if isinstance(step, bytes) else DATA[slice(*step)] for step in steps)
    assert pieces.joined() == wanted


@given(st.lists(st.integers(0, 300)).map(lambda cuts: sorted({0, 300, *cuts})), st.booleans())
def test_all_of_a_file_is_the_file_itself(cuts, put):
    """Nothing is copied, also where what is put stands there anyway."""
    pieces = Pieces(DATA)
    for start, end in itertools.pairwise(cuts):
        if put:
            pieces.put(DATA[start:end])
        else:
            pieces.keep(start, end)
    assert pieces.joined() is DATA


def test_nothing_is_nothing():
    """Not the file."""
    assert Pieces(DATA).joined() == b""
