"""The mutants that look for lost calls, and that remove what a call leaves, each in a wrong way."""

import functools

import attrs
from mutants.faults import rescued
from mutants.making import row
from mutants.reference import (
    CheckReference,
    CheckSimulator,
    looked_up,
)

import facematch_core as fm

evolve = attrs.evolve
check = functools.partial(row, base=CheckReference, simulator=CheckSimulator)


def unless(outcome, *problems):
    """Replaces `reconcile`: what a look that fails so is said to mean."""
    return rescued(
        problems,
        lambda me, error, again: fm.Reconciliation(
            outcome=outcome, call=again.args[0], reason="It failed."
        ),
    )


def step(request, **changes):
    """The removal as a step of the call."""
    yield evolve(request, is_cleanup=False, expects={204}, **changes)


def not_cleaned_up(result):
    return any(warning.tag == "not_cleaned_up" for warning in result.warnings)


# fmt: off
ROWS = (
    check("R32", "NeverThereYet", "Says of every call that it is not in the records yet.",
        reconcile=lambda me, ok, call, **how: looked_up(call, None)),
    check("R32", "AFaultIsTheEnd", "A look that its vendor refuses says that nobody can know.",
        reconcile=unless(fm.Reconciled.CANNOT_KNOW, fm.VendorError)),
    check("R32", "WaitsForWhatIsGone", "What its vendor does not know is not there yet, for ever.",
        reconcile=unless(fm.Reconciled.NOT_YET, fm.RequestRejected)),
    check("R32", "LooksWithoutEnd", "A look has no deadline, whatever it is given.",
        reconcile=lambda me, ok, call, **how: ok(call)),

    check("R49", "DeletesAsAStep", "The removal is the last request of the call: a refusal of it "
        "takes the place of the answer.",
        before=lambda me, ok, applicant: (), after=lambda me, ok, applicant: step(
            me.removal(applicant))),
    check("R49", "RemovesTwice", "Removes at the end of a call twice what it has made.",
        before=lambda me, ok, applicant: iter([me.removal(applicant)] * 2)),
)
# fmt: on
