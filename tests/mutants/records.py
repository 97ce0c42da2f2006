"""The mutants that look for lost calls, and that remove what a call leaves, each in a wrong way."""

import contextlib
import functools

import attrs
from mutants.faults import refuse, rescued
from mutants.making import row
from mutants.reference import (
    PASS,
    VERDICTS,
    CheckReference,
    CheckSimulator,
    looked_up,
)

import facematch_core as fm

evolve = attrs.evolve
check = functools.partial(row, base=CheckReference, simulator=CheckSimulator)


def call_kind(result):
    match = isinstance(result, fm.MatchResult)
    return fm.Operation.MATCH if match else fm.Operation.LIVENESS


def changed_result(change):
    """Replaces `reconcile`: what is found is another result."""

    def reconcile(me, ok, call, **how):
        answer = ok(call, **how)
        return answer if answer.result is None else looked_up(call, change(answer.result))

    return reconcile


def found_too_early(me, ok, call, **how):
    """Replaces `reconcile`."""
    answer, match = ok(call, **how), call.operation is fm.Operation.MATCH
    kind = fm.MatchResult if match else fm.LivenessResult
    no = kind(decision=VERDICTS["no"][not match], backend=me.name)
    return looked_up(call, no if answer.result is None else answer.result)


def unless(outcome, *problems):
    """Replaces `reconcile`: what a look that fails so is said to mean."""
    return rescued(
        problems,
        lambda me, error, again: fm.Reconciliation(
            outcome=outcome, call=again.args[0], reason="It failed."
        ),
    )


def by_any_report(me, ok, call, **how):
    """Replaces `reconcile`: whose report it is, nobody compares."""
    check = me.fetch(me.poll(f"{me.address}/checks/{call.vendor_id}"), call=call, **how)
    if not me.is_done(check.json()):
        return looked_up(call, None)
    report = me.fetch(me.report(check), call=None, **how)
    ids = fm.Ids(call=call.id, vendor=call.vendor_id)
    return looked_up(call, evolve(me.parse(call, report), ids=ids))


def step(request, **changes):
    """The removal as a step of the call."""
    yield evolve(request, is_cleanup=False, expects={204}, **changes)


def best_effort(request):
    with contextlib.suppress(fm.VendorError):
        yield from step(request, on_refusal="raise")


def before_this(me, applicant):
    vars(me).setdefault("applicants", [applicant]).append(applicant)
    return me.applicants[-2]


def not_cleaned_up(result):
    return any(warning.tag == "not_cleaned_up" for warning in result.warnings)


def removed_when_lost(me, ok, call, kind):
    """Replaces `ask`."""
    try:
        return ok(call, kind)
    except fm.OutcomeUnknown as lost:
        me.client.send(me.removal(lost.ids.vendor), backend=me.name, charges=0)
        raise


# fmt: off
ROWS = (
    check("R32", "LooksUnderAnotherId", "The id that is kept is the applicant's, not the check's.",
        vendor_id=lambda me, ok, reply: reply.at("applicant")),
    check("R32", "NeverThereYet", "Says of every call that it is not in the records yet.",
        reconcile=lambda me, ok, call, **how: looked_up(call, None)),
    row("R32", "KeptAndNeverFound", "What the vendor was asked to keep is never found.",
        record=lambda me, ok, call: None),
    check("R32", "EndsBeforeItIsDone", "A check that goes on is found, as a mismatch.",
        reconcile=found_too_early),
    check("R32", "WhatIsFoundIsAPass", "Whoever is found in the records has passed.",
        reconcile=changed_result(
            lambda result: evolve(result, decision=PASS[call_kind(result)]))),
    check("R32", "WhatIsFoundIsFree", "What is found is billed like the look.",
        reconcile=changed_result(
            lambda result: evolve(result, billing=fm.Billing(fm.Charged.NO)))),
    check("R32", "AFaultIsTheEnd", "A look that its vendor refuses says that nobody can know.",
        reconcile=unless(fm.Reconciled.CANNOT_KNOW, fm.VendorError)),
    check("R32", "WaitsForWhatIsGone", "What its vendor does not know is not there yet, for ever.",
        reconcile=unless(fm.Reconciled.NOT_YET, fm.RequestRejected)),
    check("R32", "LooksWithoutEnd", "A look has no deadline, whatever it is given.",
        reconcile=lambda me, ok, call, **how: ok(call)),
    check("R32", "NamesTheApplicantFirst", "Until there is a check, the applicant's id is kept.",
        vendor_id=lambda me, ok, reply: reply.at("id") or reply.at("applicant")),
    check("R32", "NobodyIsAskedAgain", "What is found for a person to look at has passed.",
        reconcile=changed_result(lambda result: evolve(result, decision=PASS[call_kind(result)])
            if result.decision.name == "REVIEW" else result)),
    check("R32", "BelievesAnyReport", "Compares whose check it is, and not whose report.",
        reconcile=by_any_report),

    check("R49", "DeletesAsAStep", "The removal is the last request of the call: a refusal of it "
        "takes the place of the answer.",
        before=lambda me, ok, applicant: (), after=lambda me, ok, applicant: step(
            me.removal(applicant))),
    check("R38", "DeletesIfItCan", "The removal is the last request, whose refusal is passed over.",
        before=lambda me, ok, applicant: (), after=lambda me, ok, applicant: best_effort(
            me.removal(applicant))),
    check("R49", "RemovesTwice", "Removes at the end of a call twice what it has made.",
        before=lambda me, ok, applicant: iter([me.removal(applicant)] * 2)),
    check("R49", "RemovesAnother", "What it removes has another name than what it has made.",
        removal=lambda me, ok, applicant: ok(f"{applicant}-1")),
    check("R49", "RemovesTheOneBefore", "Each call removes what the call before has made.",
        removal=lambda me, ok, applicant: ok(before_this(me, applicant))),
    check("R49", "RemovesAfterASuccess", "What a call has made stays where the call ends early.",
        before=lambda me, ok, applicant: (),
        after=lambda me, ok, applicant: iter([me.removal(applicant)])),
    check("R49", "RemovesWhatIsLost", "Removes what a lost call would be found by.",
        ask=removed_when_lost),
    check("R49", "NothingWithoutRemoval", "A result whose applicant stays is an error.",
        ask=lambda me, ok, call, kind: refuse(fm.UnexpectedResponse("It is still there."))
            if not_cleaned_up(result := ok(call, kind)) else result),
    check("R49", "SilentRemoval", "Nobody hears that the applicant is still there.",
        ask=lambda me, ok, call, kind: evolve(result, warnings=()) if not_cleaned_up(
            result := ok(call, kind)) else result),
)
# fmt: on
