from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facematch_comparison import draw_pairs, split_by_subject
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


@given(
    pairs=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=60),
    seed=st.integers(0, 99),
    share=st.floats(0.01, 0.99),
)
def test_nobody_is_in_both_halves(pairs, seed, share):
    first, second = np.array(pairs, np.int64).T
    development, test = split_by_subject(first, second, seed=seed, share=share)
    sides = [{*first[side].tolist(), *second[side].tolist()} for side in (development, test)]
    assert not sides[0] & sides[1]
    assert not (development & test).any()
    neither = ~development & ~test
    assert (first[neither] != second[neither]).all()
    everybody = len({*first.tolist(), *second.tolist()})
    count = round(share * everybody)
    assert len(sides[0]) <= count
    # Up to a tenth of the people may be moved over, and then no pair is lost.
    moved = 0 if neither.any() else max(1, 0.1 * everybody)
    assert len(sides[1]) <= everybody - count + moved


@given(
    each=st.lists(st.integers(1, 4), min_size=12, max_size=40),
    seed=st.integers(0, 99),
    other=st.integers(0, 99),
)
def test_pairs_drawn_within_halves_are_not_lost(each, seed, other):
    pictures = people_with({f"p{n}": count for n, count in enumerate(each)})
    mated = sum(k * (k - 1) // 2 for k in sorted(each)[: len(each) // 2])
    study = draw_pairs(pictures, mated=mated, non_mated=len(each), seed=seed, split=True)
    assert study.mated.tolist() == [True] * mated + [False] * len(each)
    development, test = split_by_subject(*study.subject_numbers, seed=other)
    assert (development | test).all()
    assert development.any()
    assert test.any()


def test_each_seed_draws_different_halves():
    couples, pairs = set(), np.arange(40).reshape(20, 2).T
    halves = [split_by_subject(*pairs, seed=seed)[0].tolist() for seed in (1, 1, 2)]
    assert halves[0] == halves[1] != halves[2]
    for seed in range(20):
        drawn = {"mated": 0, "non_mated": 2, "split": True, "seed": seed}
        study = draw_pairs(people_with(dict.fromkeys("abcd", 1)), **drawn)
        couples |= {frozenset((p.probe_subject, p.reference_subject)) for p in study.pairs}
    assert len(couples) == 6, "whoever is in one half with whom"


def test_halves_are_balanced_and_their_pairs_alternate():
    pictures = people_with({f"p{n}": 2 + n % 4 for n in range(80)})
    sex = {f"p{n}": "fm"[n % 3 > 0] for n in range(80)}
    drawn = {"within": "sex", "groups": {"sex": sex}, "split": True}
    study = draw_pairs(pictures, mated=100, non_mated=2000, **drawn)
    sides = split_by_subject(*study.subject_numbers)
    for side in sides:
        assert study.mated[side].sum() == pytest.approx(50, abs=5)
        assert side.sum() == pytest.approx(1050, abs=50)
        of_pairs = [sex[study.pairs[at].probe_subject] for at in np.flatnonzero(side)]
        assert 0.25 < of_pairs.count("f") / len(of_pairs) < 0.42
    assert 20 <= sides[0][:50].sum() <= 30


def test_share_sets_the_size_of_the_calibration_half():
    people = np.arange(1000)
    development, test = split_by_subject(people, people, share=0.3)
    assert (development.sum(), test.sum()) == (300, 700)
    for share in (0, 1, float("nan")):
        with pytest.raises(InvalidRequest):
            split_by_subject(people, people, share=share)
