"""The tool itself: which mutants it makes, and that the tests really get them."""

from pathlib import Path

import pytest
from mutation import page
from mutation.aims import AIMS, mutants_of
from mutation.mutants import mutants, planted
from mutation.running import verdicts

import facematch_deepvue

CODE = '''
"""A docstring."""

from enum import Enum


class Word(Enum):
    """Two words."""

    YES = "yes"
    NO = "no"


def judged(score: int | None, threshold: int = 50, *, seen: bool = True) -> dict[str, object]:
    """A docstring."""
    if score is None or not seen:
        raise ValueError(f"no score below {threshold + 1}")
    told = {"word": Word.YES if score >= threshold else Word.NO, "name": "score"}
    return min(told, told, key=len)
'''
EXPECTED = {
    "50 -> 51",
    "50 -> 49",
    "True -> False",
    "score is None or not seen -> True",
    "score is None or not seen -> False",
    "score is None or not seen -> score is None and (not seen)",
    "score is None -> score is not None",
    "score is None -> (removed)",
    "not seen -> seen",
    "not seen -> (removed)",
    "raise ValueError(f'no score below {threshold + 1}') -> pass",
    "{'word': Word.YES if score >= threshold else Word.NO, 'name': 'score'} -> None",
    "Word.YES if score >= threshold else Word.NO -> None",
    "score >= threshold -> True",
    "score >= threshold -> False",
    "score >= threshold -> score > threshold",
    "score >= threshold -> score < threshold",
    "Word.YES -> Word.NO",
    "Word.NO -> Word.YES",
    "min(told, told, key=len) -> None",
    "min -> max",
    "told -> None",
    "told -> None (place 2)",
    "key=len -> (removed)",
    "len -> None",
}


def test_every_small_fault_is_made_and_no_text_is_touched(tmp_path, monkeypatch):
    """Conditions, boundaries, numbers, words of enums, forgotten values; not what is only read."""
    (tmp_path / "judging_to_mutate.py").write_text(CODE)
    monkeypatch.syspath_prepend(tmp_path)
    found = mutants("judging_to_mutate")
    assert {one.change for one in found} == EXPECTED
    assert all("'score'}" in one.source and "f'no score" in one.source for one in found[:4])
    assert len({one.source for one in found}) == len(found)
    assert {one.function for one in found} == {"judged"}
    by_change = {one.change: one for one in found}
    assert by_change["score >= threshold -> score > threshold"].line.startswith('told = {"word":')


def test_the_tests_get_the_mutant():
    """One that fails at once is killed, and the module as it is passes."""
    module = "facematch_deepvue.wire"
    plain = Path(facematch_deepvue.__file__).with_name("wire.py").read_text()
    aimed = ["tests/backends/deepvue/test_wire.py"]
    assert verdicts(module, [planted(module), plain], aimed) == ["killed", "survived"]


def test_tests_that_never_load_the_module_are_no_proof():
    """They would pass with any mutant."""
    with pytest.raises(RuntimeError, match="did not run: processes ended with"):
        verdicts("facematch_didit.wire", ["0 / 0"], ["tests/backends/deepvue/test_expiry.py"])


@pytest.mark.long
@pytest.mark.parametrize("module", AIMS)
def test_the_page_lists_mutants_that_there_are(module):
    """Each survivor of the page is still a mutant of its file, and has its reason.

    After a change of the code ``UPDATE_DOCS=1 pytest -m long tests/mutation`` writes the page anew.
    """
    there = {(module, one.function, one.line, one.change) for one in mutants_of(module)}
    listed = {key: reason for key, reason in page.survivors().items() if key[0] == module}
    assert set(listed) <= there
    assert all(len(reason) > 20 for reason in listed.values())
    assert module in page.counts()
