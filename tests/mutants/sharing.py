"""Mutants that keep what belongs to a call, and of what reaches whom: ids, pictures, options."""

import base64
import functools
import threading

import attrs
from mutants.making import http, row, vendor
from mutants.reference import (
    KEY,
    HttpReference,
    HttpReferenceSimulator,
    JobReference,
    JobSimulator,
    ReferenceBackend,
    ReferenceSimulator,
    can,
)

import facematch_core as fm
from facematch_core.backend import Backend
from facematch_core.base.deadline import NO_DEADLINE
from facematch_core.testing import SimulatorReply, Situation

MATCH, LIVENESS = fm.Operation.MATCH, fm.Operation.LIVENESS

# Where a call is kept.


def keeps(name, where, keep):
    """A mutant that hands each call to `keep`."""
    fault = f"Keeps every call {where}."
    return row("R28", name, fault, request=lambda me, ok, call: (keep(me, call), ok(call))[1])


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


# A vendor that wants a login, and makes its tokens old.


@attrs.define(kw_only=True, eq=False, slots=False)
class LoginReference(HttpReference):
    """Conforms; asks with a token, and renews it where it is refused."""

    tokens: list = attrs.field(init=False, factory=list)
    lock: object = attrs.field(init=False, factory=threading.Lock)

    def sign(self, request, call, *, deadline=NO_DEADLINE):
        with self.lock:
            if not self.tokens:
                self.tokens.append(self.token(call, deadline))
            return attrs.evolve(request, headers={"X-Api-Key": self.tokens[-1]})

    def token(self, call, deadline):
        request = self.post("login", json={})
        reply = self.client.send(request, backend=self.name, charges=0, deadline=deadline)
        if reply.status != 200:
            raise self.error(reply, call)
        return fm.Secret(reply.json()["token"])

    def should_relogin(self, request, reply):
        if reply.status != 401 or reply.at("error") != "old":
            return False
        with self.lock:
            self.tokens[:] = [each for each in self.tokens if each != request.headers["X-Api-Key"]]
        return True


class LoginSimulator(HttpReferenceSimulator):
    """The vendor, whose token is another one in each situation."""

    token = f"token-{KEY}"

    def __init__(self, backend_class=LoginReference):
        super().__init__(backend_class)

    def set_situation(self, situation, **how):
        self.token = f"token-{next(self._numbers)}-{KEY}"
        super().set_situation(situation, **how)

    def counts(self, request):
        return request.headers["X-Api-Key"] == self.token

    def answer(self, request, situation, score):
        key = request.headers["X-Api-Key"]
        if request.path == "/login":
            if situation is Situation.BAD_KEY or key != KEY:
                return SimulatorReply(body={"error": "no"}, status=401)
            return SimulatorReply(body={"token": self.token}, charged=False)
        if key != self.token:
            return SimulatorReply(body={"error": "old"}, status=401)
        return super().answer(request, situation, score)


def beside(**words):
    """The vendor over HTTP, whose answers have this, too; in SPOOF what is second of each."""

    def answered(me, ok, sent, key, *met):
        is_spoof = met[0] is Situation.SPOOF and "reference" in sent
        status, body = ok(sent, key, *((Situation.SAME_PERSON, None) if is_spoof else met))
        return status, body | {word: pair[is_spoof] for word, pair in words.items()}

    return vendor(HttpReferenceSimulator, answered=answered)


def only_for(operation, options=("retention", "options")):
    """Declares that these options are for one operation alone."""
    return can(option_operations=dict.fromkeys(options, frozenset({operation})))


login = functools.partial(row, base=LoginReference, simulator=LoginSimulator)
report = functools.partial(row, base=ReportReference, simulator=ReportSimulator)
job = functools.partial(row, base=JobReference, simulator=JobSimulator)

# fmt: off
ROWS = (

    # Ids

    # Beside the comparison

    http("R02", "ReadsNoWordOfAPhoto", "Does not read that the probe of a comparison is a photo.",
        simulator=beside(authentic=("yes", "photo"))),


    # Logins, keys and threads

    # Pictures and options
    row("R25", "KeepsTheLastOptions", "A call without options has those of the last one.",
        request=lambda me, ok, call: ok(call) | {"options": vars(me).setdefault("kept", {}).update(
            {"note": call.options.note} if call.options else {}) or me.kept.get("note")}),
    row("R25", "SendsWhatIsForChecks", "Options that are for checks alone go with comparisons.",
        capabilities=can(option_operations={"note": frozenset({LIVENESS})})),
    http("R25", "BreaksItsLines", "Sends base64 as mails have it, with line breaks.",
        request=lambda me, ok, call: ok(call) | {"probe":
            base64.encodebytes(call.probe.data).decode()}),
    row("R25", "DropsItsOptionsOfChecks", "Options are declared for both operations, and heard of "
        "in comparisons alone.",
        request=lambda me, ok, call: ok(call) | ({"options": None}
            if call.operation is LIVENESS else {})),
    row("R25", "MisspellsAnOption", "Declares of what is no option which operation it is for.",
        capabilities=only_for(MATCH, ["rotated"])),
)
