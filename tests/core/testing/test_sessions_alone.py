"""Plug-ins of hosted sessions alone."""

import attrs
import pytest
from kit.contract import Status, failures, run
from mutants.making import row, vendor
from mutants.sessions import SHOWN, Player, SessionReference, SessionVendor

from facematch_core import Operation, models
from facematch_core.backend import Capabilities
from facematch_core.testing import SessionCase
from facematch_core.testing.simulator import OPERATION_OF

SITUATIONS = SessionVendor.situations - OPERATION_OF.keys()


class OneVerdictPlayer(Player):
    cases = frozenset(SessionCase) - {SessionCase.LOW_SCORE}

    def play(self, session_id, case):
        super().play(session_id, case)
        if session := self.store.get(session_id):
            session["items"] = [item for item in session["items"] if item["kind"] == "match"]
        if case is SessionCase.SPOOF:
            self.store[session_id]["items"] = SHOWN[SessionCase.OTHER_PERSON]["items"][:1]


def alone(name, fault, /, player=Player, shows=None, **changes):
    """A plug-in without calls; `shows` changes what it declares."""
    return row(
        *("", name, fault),
        base=SessionReference,
        simulator=vendor(SessionVendor, situations=SITUATIONS, player=player),
        capabilities=Capabilities(
            operations=frozenset(), threshold_rule=models.ThresholdRule.ABOVE
        ),
        session_capabilities=attrs.evolve(SessionReference.session_capabilities, **shows or {}),
        **changes,
    )


ONE_VERDICT = alone(
    "OneVerdict",
    "Its vendor has one verdict for both: the same person, and a live face.",
    player=OneVerdictPlayer,
    shows={
        "scored": frozenset({Operation.MATCH}),
        "needs_liveness_threshold": False,
        "gives_portrait": False,
    },
    check=lambda me, ok, *item: attrs.evolve(ok(*item), covers_liveness=True),
)


NO_NAMES = alone(
    "NoNames",
    "Its vendor compares with a document, and does not return the name on it.",
    shows={"reads_document": False},
    holders=lambda me, ok, body: (),
)


@pytest.mark.parametrize(
    "plug_in",
    [
        alone("Alone", "It compares no pictures."),
        *(pytest.param(plug_in, marks=pytest.mark.slow) for plug_in in (ONE_VERDICT, NO_NAMES)),
    ],
    ids=lambda plug_in: plug_in.name,
)
def test_session_only_plug_in_conforms(plug_in):
    cases = tuple(run(plug_in.make))
    assert not failures(cases)
    assert {case.rule for case in cases if case.status is Status.PASSED} >= {"R52", "R55", "R58"}
