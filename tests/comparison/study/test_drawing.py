from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facematch_comparison import draw_pairs
from facematch_core import InvalidRequest


def people_with(counts):
    """Photographs of people, of each so many."""
    return {who: [Path(who, str(n)) for n in range(count)] for who, count in counts.items()}


def possible(pictures):
    each = [len(files) for files in pictures.values()]
    mated = sum(number * (number - 1) // 2 for number in each)
    return mated, (sum(each) ** 2 - sum(number**2 for number in each)) // 2


@given(
    pictures=st.dictionaries(
        st.sampled_from("abcdefgh"), st.integers(0, 4), min_size=2, max_size=8
    ).map(people_with),
    seed=st.integers(0, 99),
    data=st.data(),
)
def test_the_requested_number_of_pairs_is_drawn_without_repeats(pictures, seed, data):
    most_mated, most_others = possible(pictures)
    mated = data.draw(st.integers(0, most_mated))
    others = data.draw(st.integers(0, most_others))
    if not mated + others:
        return
    study = draw_pairs(pictures, mated=mated, non_mated=others, seed=seed)
    # However they are listed.
    backwards = {who: files[::-1] for who, files in reversed(pictures.items())}
    assert draw_pairs(backwards, mated=mated, non_mated=others, seed=seed).pairs == study.pairs
    assert study.mated.tolist() == [True] * mated + [False] * others
    assert len({frozenset((pair.probe, pair.reference)) for pair in study.pairs}) == mated + others
    for pair in study.pairs:
        assert pair.probe.parent.name == pair.probe_subject
        assert pair.reference.parent.name == pair.reference_subject
        assert pair.mated is (pair.probe_subject == pair.reference_subject)
        assert pair.probe != pair.reference
    for kind, number in (
        ({"mated": most_mated + 1}, most_mated),
        ({"mated": 0, "non_mated": most_others + 1}, most_others),
    ):
        with pytest.raises(InvalidRequest, match=f"make {number}"):
            draw_pairs(pictures, seed=seed, **kind)


@given(
    groups=st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from("xyz"), min_size=2),
    seed=st.integers(0, 9),
    part=st.integers(1, 10),
)
def test_pairs_within_groups_are_of_one_group(groups, seed, part):
    pictures = people_with(dict.fromkeys("abcdefgh", 2))
    there = 4 * sum(size * (size - 1) // 2 for size in Counter(groups.values()).values())
    count, within = there * part // 10, {"within": "kind", "groups": {"kind": groups}, "seed": seed}
    study = draw_pairs(pictures, non_mated=count, **within)
    others = [pair for pair in study.pairs if not pair.mated]
    assert len(others) == count
    assert all(groups[pair.probe_subject] == groups[pair.reference_subject] for pair in others)
    assert study.groups == {"kind": groups}
    with pytest.raises(InvalidRequest, match=f"make {there}"):
        draw_pairs(pictures, non_mated=there + 1, **within)


@pytest.mark.parametrize(
    "wrong",
    [
        *({"mated": -1}, {"non_mated": -1}, {"mated": 0, "non_mated": 0}, {"mated": 0}),
        *({"within": "sex"}, {"pictures": people_with({"a": 1, "b": 1})}),
        {"pictures": {"a": [Path("1"), Path("1")]}},
        {"pictures": {"a": [Path("1")], "b": [Path("1")]}},
    ],
    ids=str,
)
def test_impossible_draws_are_rejected(wrong):
    with pytest.raises(InvalidRequest):
        draw_pairs(**{"pictures": people_with({"a": 2, "b": 2})} | wrong)
    # People with one photograph each make pairs of two.
    alone = draw_pairs(people_with({"a": 1, "b": 1}), mated=0, non_mated=1)
    assert alone.mated.tolist() == [False]
