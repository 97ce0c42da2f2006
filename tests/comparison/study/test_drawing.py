import functools
import math
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from facematch_comparison import draw_pairs
from facematch_core import InvalidRequest


def people_with(photograph_counts):
    """Photographs of people, of each so many."""
    return {
        person: [Path(person, str(number)) for number in range(count)]
        for person, count in photograph_counts.items()
    }


PEOPLE = st.dictionaries(
    st.sampled_from("abcdefgh"), st.integers(0, 4), min_size=2, max_size=8
).map(people_with)


def possible_pairs(pictures):
    """The number of mated pairs, and of pairs of two people."""
    counts = [len(files) for files in pictures.values()]
    mated = sum(math.comb(count, 2) for count in counts)
    return mated, math.comb(sum(counts), 2) - mated


@given(pictures=PEOPLE, seed=st.integers(0, 99), data=st.data())
def test_the_requested_number_of_pairs_is_drawn_without_repeats(pictures, seed, data):
    most_mated, most_others = possible_pairs(pictures)
    mated = data.draw(st.integers(0, most_mated))
    others = data.draw(st.integers(0, most_others))
    assume(mated + others)
    study = draw_pairs(pictures, mated=mated, non_mated=others, seed=seed)
    assert study.mated.tolist() == [True] * mated + [False] * others
    assert len({frozenset((pair.probe, pair.reference)) for pair in study.pairs}) == mated + others
    for pair in study.pairs:
        assert pair.probe.parent.name == pair.probe_subject
        assert pair.reference.parent.name == pair.reference_subject
        assert pair.mated is (pair.probe_subject == pair.reference_subject)
        assert pair.probe != pair.reference
    # However they are listed.
    backwards = {person: files[::-1] for person, files in reversed(pictures.items())}
    assert draw_pairs(backwards, mated=mated, non_mated=others, seed=seed).pairs == study.pairs


@given(pictures=PEOPLE)
def test_more_pairs_than_there_are_cannot_be_drawn(pictures):
    most_mated, most_others = possible_pairs(pictures)
    with pytest.raises(InvalidRequest, match=f"make {most_mated}"):
        draw_pairs(pictures, mated=most_mated + 1)
    with pytest.raises(InvalidRequest, match=f"make {most_others}"):
        draw_pairs(pictures, mated=0, non_mated=most_others + 1)


@given(
    group_of_person=st.dictionaries(
        st.sampled_from("abcdefgh"), st.sampled_from("xyz"), min_size=2
    ),
    seed=st.integers(0, 9),
    tenths=st.integers(1, 10),
)
def test_pairs_within_groups_are_of_one_group(group_of_person, seed, tenths):
    pictures = people_with(dict.fromkeys("abcdefgh", 2))
    sizes = Counter(group_of_person.values())
    possible = 4 * sum(math.comb(size, 2) for size in sizes.values())
    draw_within = functools.partial(
        draw_pairs, pictures, within="site", groups={"site": group_of_person}, seed=seed
    )
    study = draw_within(non_mated=possible * tenths // 10)
    others = [pair for pair in study.pairs if not pair.mated]
    assert len(others) == possible * tenths // 10
    for pair in others:
        assert group_of_person[pair.probe_subject] == group_of_person[pair.reference_subject]
    assert study.groups == {"site": group_of_person}
    with pytest.raises(InvalidRequest, match=f"make {possible}"):
        draw_within(non_mated=possible + 1)


@pytest.mark.parametrize(
    "options",
    [
        {"mated": -1},
        {"non_mated": -1},
        {"mated": 0, "non_mated": 0},
        {"mated": 0},
        {"within": "sex"},
        {"pictures": people_with({"a": 1, "b": 1})},
        {"pictures": {"a": [Path("1"), Path("1")]}},
        {"pictures": {"a": [Path("1")], "b": [Path("1")]}},
    ],
    ids=str,
)
def test_impossible_draws_are_rejected(options):
    with pytest.raises(InvalidRequest):
        draw_pairs(**{"pictures": people_with({"a": 2, "b": 2})} | options)


def test_people_with_one_photograph_each_make_pairs_of_two():
    study = draw_pairs(people_with({"a": 1, "b": 1}), mated=0, non_mated=1)
    assert study.mated.tolist() == [False]
