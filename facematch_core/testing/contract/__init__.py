"""The rules that every backend keeps, by theme."""

from __future__ import annotations

import inspect

import attrs

from ._frame import Rules
from .answers import AnswerRules
from .mapping import MappingRules
from .money import MoneyRules
from .privacy import PrivacyRules
from .records import RecordRules
from .sessions import SessionRules
from .settings import SettingRules
from .sharing import SharingRules


class BackendContract(
    AnswerRules,
    MoneyRules,
    PrivacyRules,
    RecordRules,
    MappingRules,
    SettingRules,
    SharingRules,
    SessionRules,
    Rules,
):
    """What every backend keeps, as tests that its author runs unchanged.

    ::

        class TestContract(BackendContract):
            @pytest.fixture
            def simulator(self):
                with MySimulator() as simulator:
                    yield simulator

    Each rule has a number, and its docstring says why it matters. A rule that needs a `Situation`
    which the simulator cannot produce is skipped and says so. A backend that has a good reason to
    break a rule says so as well::

            @pytest.mark.xfail(reason="the vendor answers ...", strict=True)
            def test_r12_two_faces_are_told(self, bench):
                super().test_r12_two_faces_are_told(bench)

    Any other override of a rule is refused when the class is made.
    """


#: The rules in the order of causes, and from which rules each line of them follows: after one of
#: those has failed, they would say the same in other words, and are not judged. Any other rule is,
#: whatever has failed before it: two faults that have nothing in common are named in one run.
_ANSWERED, _DECIDED = ("R51",), ("R51", "R06")
CAUSES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("R31 R05 R23", ()),  # opening it, what it declares, what it prints
    ("R51", ()),  # one good call
    ("R01 R06 R02", _ANSWERED),  # its id, verdict and score
    ("R07", _DECIDED),
    ("R42 R24 R25", _ANSWERED),  # what is sent
    ("R18 R16 R20", _ANSWERED),  # how often, and what it costs
    ("R30", _DECIDED),  # the end of a backend
    ("R19", _DECIDED),
    ("R11 R12 R13 R48 R22", _ANSWERED),  # answers that are easily misread
    ("R49 R32 R44", _ANSWERED),  # what is made at the vendor, and its records
    ("R21 R37 R47", _ANSWERED),  # privacy
    ("R52", ()),  # one good session
    ("R53 R54 R55 R56 R57 R58 R59 R61 R62", ("R52",)),
    ("R28", _ANSWERED),  # threads and memory
    ("R38", _ANSWERED),  # any answer: the longest, so what a run that is over leaves out
)


@attrs.frozen(kw_only=True)
class Rule:
    """One rule of the contract.

    Attributes:
        number: ``R01`` and so on; a number is never given to another rule.
        name: Name of the test.
        title: What is asked, in a sentence.
        reason: Why it matters.
        follows: Numbers of the rules without which it says nothing new: it is not judged after
            one of them has failed.
    """

    number: str
    name: str
    title: str
    reason: str
    follows: tuple[str, ...] = ()


def rules() -> tuple[Rule, ...]:
    """All rules, in the order in which they are run: each after those that it follows from."""
    names = [name for name in dir(BackendContract) if name.startswith("test_r")]
    tests = {name.split("_")[1].upper(): getattr(BackendContract, name) for name in names}
    places = {number: follows for numbers, follows in CAUSES for number in numbers.split()}
    # A rule without a place comes last.
    places |= dict.fromkeys(sorted(tests.keys() - places.keys()), _ANSWERED)
    texts = {n: (inspect.getdoc(tests[n]) or "").partition("\n\n") for n in places}
    return tuple(
        Rule(
            number=number,
            name=tests[number].__name__,
            title=" ".join(texts[number][0].split()),
            reason=" ".join(texts[number][2].split()),
            follows=follows,
        )
        for number, follows in places.items()
    )
