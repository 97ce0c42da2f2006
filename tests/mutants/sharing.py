"""Mutants that keep what belongs to a call, and of what reaches whom: ids, pictures, options."""

import base64
import contextvars
import functools
import logging
import queue
import threading
import types
import weakref

import attrs
from mutants.making import http, row
from mutants.reference import (
    JobReference,
    JobSimulator,
    ReferenceBackend,
    ReferenceSimulator,
    StepsReference,
    StepsSimulator,
    can,
)

import facematch_core as fm
from facematch_core.backend import Backend
from facematch_core.testing import Situation

MATCH, LIVENESS = fm.Operation.MATCH, fm.Operation.LIVENESS

# Where a call is kept.


def keeps(name, where, keep):
    """A mutant that hands each call to `keep`."""
    fault = f"Keeps every call {where}."
    return row("R28", name, fault, request=lambda me, ok, call: (keep(me, call), ok(call))[1])


def in_a_text(me, call):
    vars(me)["text"] = vars(me).get("text", b"") + base64.b64encode(call.probe.data)


def as_text():
    texts = []
    return lambda me, call: texts.append(base64.b64encode(call.probe.data).decode())


def in_a_closure():
    calls = []
    return lambda me, call: calls.append(call)


def in_a_generator():
    def collect():
        calls = []
        while True:
            calls.append((yield))

    collector = collect()
    next(collector)
    return lambda me, call: collector.send(call)


def in_a_default(me, call, calls=[]):  # noqa: B006 - the mistake that is meant
    calls.append(call)


def on_a_function(me, call):
    on_a_function.calls = [*getattr(on_a_function, "calls", ()), call]


def by_a_bound_method():
    calls = {}
    keep = types.MethodType(lambda me, call: calls.setdefault(call.call_id, call), object())
    return lambda me, call: keep(call)


def of_a_method():
    @functools.cache
    def sizes(me, image):
        return len(image.data)

    return lambda me, call: sizes(me, call.probe)


class Handler(logging.Handler):
    """Keeps what it should write."""

    def __init__(self):
        super().__init__()
        self.records = []

    def emit(self, record):
        self.records.append(record)


def by_a_handler():
    log = logging.getLogger("reference.kept")
    log.setLevel(logging.DEBUG)
    log.propagate = False
    log.addHandler(Handler())
    return lambda me, call: log.debug("asks %s", call.probe)


QUEUE, LOCAL, CALLS = queue.Queue(), threading.local(), contextvars.ContextVar("calls", default=())
PARTIAL, BY_BACKEND = functools.partial(list.append, []), weakref.WeakKeyDictionary()

# A vendor that only compares, and says more beside the comparison.

#: What it says of the probe, where that is not the usual.
REPORTS = {Situation.SPOOF: {"authentic": "spoof"}, Situation.NO_FACE: {"face": "none"}}


class ReportReference(ReferenceBackend):
    """Conforms; only compares, and reads what its vendor reports beside the comparison."""

    capabilities = can(operations=frozenset({MATCH}), billed_operations=frozenset({MATCH}))
    check_liveness = Backend.check_liveness

    def result(self, call, body):
        report, warnings = self.report(body["report"]), []
        if report["authentic"] != "yes":
            warnings.append([report["authentic"], None, "high"])
        if report["face"] != "clear":
            warnings.append(["NO_FACE", None, "high"])
            body = {**body, "score": None}
        return super().result(call, {**body, "warnings": [*body["warnings"], *warnings]})

    def report(self, report):
        return report


class ReportSimulator(ReferenceSimulator):
    """The vendor, who compares whatever it is shown, and reports of the probe beside that."""

    situations = ReferenceSimulator.situations - {Situation.LIVE}

    def __init__(self, backend_class=ReportReference):
        super().__init__(backend_class)

    def answered(self, words, key, situation, score):
        report = REPORTS.get(situation, {})
        met = Situation.SAME_PERSON if report else situation
        status, body = super().answered(words, key, met, score)
        if "score" in body:
            body["report"] = {"authentic": "yes", "face": "clear"} | report
        return status, body


def only_for(operation, options=("rotate", "retention", "options")):
    """Declares that these options are for one operation alone."""
    return can(option_operations=dict.fromkeys(options, frozenset({operation})))


report = functools.partial(row, base=ReportReference, simulator=ReportSimulator)
job = functools.partial(row, base=JobReference, simulator=JobSimulator)

# fmt: off
ROWS = (
    keeps("KeepsInAClosure", "in a list that a function closes over", in_a_closure()),
    keeps("KeepsInAQueue", "in a queue that nobody reads", lambda me, call: QUEUE.put(call)),
    keeps("KeepsInAGenerator", "in a frame of a generator", in_a_generator()),
    keeps("KeepsInAPartial", "among the arguments of a partial",
        lambda me, call: PARTIAL(call)),
    keeps("KeepsInADefault", "in the default of an argument", in_a_default),
    keeps("KeepsOnAFunction", "on an attribute of a function", on_a_function),
    keeps("KeepsByABoundMethod", "in what a bound method closes over", by_a_bound_method()),
    keeps("KeepsInAWeakCache", "in a value of a cache whose keys alone are weak",
        lambda me, call: BY_BACKEND.setdefault(me, []).append(call)),
    keeps("KeepsInAContext", "in a context variable",
        lambda me, call: CALLS.set((*CALLS.get(), call))),
    keeps("KeepsInAThread", "in what belongs to a thread",
        lambda me, call: vars(LOCAL).setdefault("calls", []).append(call)),
    keeps("KeepsInACachedMethod", "in the cache of a method, which has no bound", of_a_method()),
    keeps("KeepsInALog", "in the records of a handler of logs", by_a_handler()),
    keeps("KeepsItsText", "as the base64 that was sent, in a list of a function", as_text()),
    keeps("KeepsOneLongText", "at the end of one long text", in_a_text),

    # Ids
    row("R01", "NamesTheLastAnswer", "Reads the id of each answer as that of the call.",
        base=StepsReference, simulator=StepsSimulator,
        vendor_id=lambda me, ok, reply: reply.json()["id"]),
    job("R01", "NamesItsReport", "Results carry the id of the report instead of that of the job.",
        result=lambda me, ok, call, body: attrs.evolve(result := ok(call, body),
            ids=attrs.evolve(result.ids, vendor=f"report-of-{body['id']}"))),

    # Beside the comparison
    report("R06", "ReadsNoSpoof", "Reads the score, and not the word for a spoof beside it.",
        report=lambda me, ok, report: ok(report) | {"authentic": "yes"}),
    report("R11", "ReadsNoFace", "Reads the score, and not that no face was found beside it.",
        report=lambda me, ok, report: ok(report) | {"face": "clear"}),

    # Pictures and options
    http("R42", "BreaksItsLines", "Sends base64 as mails have it, with line breaks.",
        request=lambda me, ok, call: ok(call) | {"probe":
            base64.encodebytes(call.probe.data).decode()}),
    row("R25", "DropsItsOptionsOfChecks", "Options are declared for both operations, and heard of "
        "in comparisons alone.",
        request=lambda me, ok, call: ok(call) | ({"options": None}
            if call.operation is LIVENESS else {})),
    row("R25", "DropsRotateOfChecks", "Turning is declared for both operations, and asked for in "
        "comparisons alone.",
        request=lambda me, ok, call: ok(call) | ({"rotate": False}
            if call.operation is LIVENESS else {})),
    row("R25", "MisspellsAnOption", "Declares of what is no option which operation it is for.",
        capabilities=only_for(MATCH, ["rotated"])),
)
