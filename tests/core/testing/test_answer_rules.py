"""What the rules about answers catch beyond the mutants, and whom they do not blame."""

from typing import ClassVar

import attrs
import pytest
from mutants.reference import (
    EDGES,
    HttpReference,
    HttpReferenceSimulator,
    JobReference,
    JobSimulator,
    ReferenceBackend,
    ReferenceSimulator,
    can,
)

from facematch_core import (
    Box,
    Charged,
    DeadlineExceeded,
    Face,
    Operation,
    Reconciled,
    Reconciliation,
    RequestRejected,
    Retention,
    ThresholdRule,
)
from facematch_core.testing import Situation, Status
from facematch_core.testing.conformance import run_rules

PASSED = (Status.PASSED, "")


def ran(rule, backend, simulator=ReferenceSimulator):
    """Status and reason of the one case of a rule."""
    [case] = run_rules(lambda: simulator(backend), rules={rule})
    return case.status, case.reason


# Ids


class OneId(HttpReferenceSimulator):
    """Its author has written down one answer, with its id."""

    def answered(self, *asked):
        status, body = super().answered(*asked)
        return status, {**body, "id": "one-id"} if "id" in body else body


def test_a_simulator_that_repeats_its_id_is_named():
    """So that nobody looks for the fault in the backend alone."""
    status, reason = ran("R01", HttpReference, OneId)
    assert status is Status.FAILED
    assert "OneId" in reason


# Thresholds


class OfItsVendor(ReferenceBackend):
    """The vendor's rule is not known, nor a default."""

    capabilities = can(
        threshold_rule=ThresholdRule.VENDOR, default_threshold=None, default_liveness_threshold=None
    )

    def threshold(self, call):
        return call.threshold.value if call.threshold else 50.0


class OneMore(OfItsVendor):
    """Tells the vendor another threshold than the caller's."""

    def threshold(self, call):
        return min(super().threshold(call) + 1, 100)


def test_a_threshold_is_told_where_no_edge_is_known():
    """The vendor decides by its own rule, at the number that the caller set."""
    assert ran("R07", OfItsVendor) == PASSED
    assert ran("R07", OneMore)[0] is Status.FAILED


# Jobs


class Free(JobReference):
    """Its vendor charges nothing."""

    capabilities = attrs.evolve(JobReference.capabilities, billed_operations=frozenset())

    def charged(self, call):
        return Charged.NO

    def submit(self, call):
        return attrs.evolve(super().submit(call), charges=0)


class FreeJobs(JobSimulator):
    """That vendor."""

    def accepted(self, *asked):
        return attrs.evolve(super().accepted(*asked), charged=False)


class Unnamed(JobReference):
    """Nothing that it says of a job carries the id of it."""

    def vendor_id(self, reply):
        return None


class Refused(JobReference):
    """Says that the vendor has refused the job, which has accepted it."""

    def match(self, call):
        try:
            return super().match(call)
        except DeadlineExceeded:
            raise RequestRejected("It is not done.") from None


class AllDone(JobSimulator):
    """Finishes every job."""

    situations = JobSimulator.situations - {Situation.NEVER_DONE}


def test_a_job_is_found_by_its_own_id():
    """Though the vendor is asked to keep nothing, and charges nothing."""
    assert ran("R32", Free, FreeJobs) == PASSED


@pytest.mark.parametrize("backend", [Unnamed, Refused])
def test_a_job_that_is_lost_is_caught(backend):
    """Nobody could ask for it any more."""
    assert ran("R32", backend, JobSimulator)[0] is Status.FAILED


def test_jobs_that_always_end_leave_the_rule_open():
    """The backend waits, and nobody has seen what it does where it waits in vain."""
    assert ran("R32", JobReference, AllDone)[0] is Status.OPEN


class Blind(ReferenceBackend):
    """Overrides `reconcile`, and can look for no call at all."""

    capabilities = can(retention=frozenset({Retention.MINIMAL}))

    def reconcile(self, call, *, deadline_s=None):
        return Reconciliation(outcome=Reconciled.CANNOT_KNOW, call=call, reason="Nothing is kept.")


def test_where_nothing_is_kept_nothing_can_be_found():
    """The rule has nothing to ask."""
    assert ran("R32", Blind)[0] is Status.DOES_NOT_APPLY


# Faces


def where(change, **attributes):
    """The reference, whose boxes are others: `change` is given them, and of which picture."""

    def faces(self, body, place):
        boxes = [self.box(edges) for edges in body["faces"].get(place, ())]
        return tuple(Face(box=box) for box in change(boxes, place, len(body["faces"]["probe"])))

    return type("Where", (ReferenceBackend,), {"faces": faces, **attributes})


def pixels(box, side):
    """The same box in pixels of a square picture, which says its size unless it is the one sent."""
    edges = {name: side * getattr(box, name) for name in ("left", "top", "right", "bottom")}
    return Box(**edges, **({} if side == 96 else {"of_width": side, "of_height": side}))


@pytest.mark.parametrize("side", [96, 480])
def test_where_faces_are_is_the_same_in_each_unit(side):
    """In parts of the sides, in pixels of what was sent, and in pixels of another size."""
    in_pixels = where(lambda boxes, *_: [pixels(box, side) for box in boxes])
    assert ran("R48", in_pixels) == PASSED


def of_probe(make):
    """Other boxes in the probe alone."""
    return lambda boxes, place, _: boxes if place == "reference" else make(boxes)


def evolved(**edges):
    """The first box of the probe with other edges."""
    return of_probe(lambda boxes: [attrs.evolve(boxes[0], **edges), *boxes[1:]])


FAULTS = {
    "of the probe alone": lambda boxes, place, _: boxes if place == "probe" else [],
    "of the largest face alone": of_probe(lambda boxes: boxes[:1]),
    "two in the reference": lambda boxes, place, seen: (
        boxes * 2 if place == "reference" and seen == 2 else boxes
    ),
    "half of the face": evolved(bottom=0.4),
    "elsewhere": evolved(left=0.0, right=0.375),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_false_box_is_caught(fault):
    """Whichever it is."""
    assert ran("R48", where(FAULTS[fault]))[0] is Status.FAILED


def test_a_count_of_faces_is_no_box():
    """Who gives no box has nothing to declare."""
    counts = where(lambda boxes, *_: [None] * len(boxes), capabilities=can(reports_faces=False))
    assert ran("R48", counts)[0] is Status.DOES_NOT_APPLY


class OfComparisons(ReferenceBackend):
    """A check does not say where the face is."""

    def result(self, call, body):
        result = super().result(call, body)
        is_match = call.operation is Operation.MATCH
        return result if is_match else attrs.evolve(result, probe_faces=None)


def test_a_check_need_not_say_where():
    """`reports_faces` is one word for both operations."""
    assert ran("R48", OfComparisons) == PASSED


class Untold(ReferenceSimulator):
    """Does not say where the vendor's faces are."""

    faces: ClassVar = {}


class Alike(ReferenceSimulator):
    """Has one place for the faces of both pictures."""

    faces: ClassVar = dict.fromkeys(EDGES, ReferenceSimulator.faces["probe"])


@pytest.mark.parametrize("simulator", [Untold, Alike])
def test_what_nobody_can_see_leaves_the_rule_open(simulator):
    """Boxes that are only said to be the vendor's, and pictures that cannot be known apart."""
    assert ran("R48", ReferenceBackend, simulator)[0] is Status.OPEN
