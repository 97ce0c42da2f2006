"""Mutants that fail at a good call: what is declared, and that an answer is the call's own."""

from typing import ClassVar

import attrs
from mutants.faults import MATCH, REVIEW, as_dict, evolve, remember
from mutants.making import caught_by, vendor
from mutants.reference import (
    HOST,
    PASS,
    HttpReference,
    HttpReferenceSimulator,
    ReferenceBackend,
    ReferenceSimulator,
    can,
)
from mutants.vendors import GivesOneId

import facematch_core as fm
from facematch_core import models
from facematch_core.backend import Backend
from facematch_core.testing import Situation

# R51: A good call is answered.


@caught_by("R51")
class LooksForAnotherName(ReferenceBackend):
    """Looks for the score under a name that no answer has."""

    def score(self, call, number):
        return super().score(call, {}["similarity"])


@caught_by("R51")
class ReadsTheFirstBody(HttpReference):
    """Every answer is read from the body that came first."""

    def body(self, reply):
        return remember(self, "body", super().body(reply))


@caught_by("R51")
class MistypedHost(HttpReference):
    """Its own address is not among the hosts that it allows."""

    allowed_hosts = frozenset({"api.elsewhere.example"})


@caught_by("R51", vendor(documented_capabilities={"default_threshold": 80.0}))
class LowersTheThreshold(ReferenceBackend):
    """Its default threshold is lower than the vendor's."""

    capabilities = can(default_threshold=8.0)


@caught_by("R51", vendor(HttpReferenceSimulator, sandbox_settings={"api_key": "play-key-1f0e"}))
class TakesAnyKey(HttpReference):
    """A key of the sandbox is like any other."""


@caught_by("R51")
class SignsWithAnotherName(ReferenceBackend):
    """Results carry the vendor's name instead of the backend's."""

    def result(self, call, body):
        return evolve(super().result(call, body), backend="Reference Inc.")


@caught_by("R51")
class UndeclaredLiveness(ReferenceBackend):
    """Answers liveness calls without declaring them."""

    capabilities = can(operations=frozenset({MATCH}), billed_operations=frozenset({MATCH}))


@caught_by("R51")
class PaysForItsLogin(HttpReference):
    """A login counts as charged."""

    def sign(self, request, call, *, deadline):
        login = self.post("login", json={}, charges=1)
        self.client.send(login, backend=self.name, deadline=deadline)
        return request


@caught_by("R51")
class LogsInForever(HttpReference):
    """A login ignores the deadline of its call."""

    def sign(self, request, call, *, deadline):
        login = self.post("login", json={}, charges=0)
        self.client.send(login, backend=self.name)
        return request


@caught_by("R51")
class NamesItsKeyInClear(HttpReference):
    """The key is sent as plain text, so an echo is not masked."""

    def sign(self, request, call, **how):
        return evolve(request, headers={"X-Api-Key": self.api_key.reveal()})


@caught_by("R51")
class LeavesAPassToAPerson(ReferenceBackend):
    """Who passes is left to a person."""

    def decision(self, call, body, score):
        decision = super().decision(call, body, score)
        if decision is PASS[call.operation]:
            return REVIEW[call.operation]
        return decision


@caught_by("R51")
class KeepsTheLastPass(ReferenceBackend):
    """A no is answered by the pass before it."""

    last_pass = None

    def exchange(self, call):
        status, body, problem = super().exchange(call)
        verdict = as_dict(body).get("verdict")
        if verdict == "yes":
            self.last_pass = body
        if verdict == "no" and self.last_pass is not None:
            body = self.last_pass
        return status, body, problem


@caught_by("R51")
class SaysItWasASandbox(ReferenceBackend):
    """Each result is reported as one of a sandbox."""

    def result(self, call, body):
        return evolve(super().result(call, body), environment=fm.Environment.SANDBOX)


@caught_by("R51")
class NamedAfterABrand(ReferenceBackend):
    """Its name has a space and a full stop."""

    name = "Reference Inc."


@caught_by("R51")
class DeclaresNothing(ReferenceBackend):
    """Declares no operation."""

    capabilities = can(operations=frozenset(), billed_operations=frozenset())


@caught_by("R51")
class BillsWhatItLacks(ReferenceBackend):
    """Liveness is billed, and not offered."""

    capabilities = can(operations=frozenset({MATCH}))
    check_liveness = Backend.check_liveness


@caught_by("R51")
class MistypedVariable(HttpReference):
    """An environment variable is of a setting that it lacks."""

    environment_variables: ClassVar = {"api_kee": "REFERENCE_API_KEY"}


@caught_by("R51")
@attrs.define(kw_only=True, eq=False, slots=False)
class AtAnotherHost(HttpReference):
    """Its host is another product's of the vendor."""

    allowed_hosts: ClassVar = frozenset({f"apac-{HOST}"})
    base_url: str = f"https://apac-{HOST}"


@caught_by("R51", vendor(secrets=()))
class ListsNoSecret(ReferenceBackend):
    """The simulator's list of secrets is empty."""


@caught_by("R51")
class OneIdForAll(ReferenceBackend):
    """Every result has the id of the first one."""

    def result(self, call, body):
        result = super().result(call, body)
        return evolve(result, ids=remember(self, "ids", result.ids))


@caught_by("R51", vendor(situations=ReferenceSimulator.situations - {Situation.LOST_ANSWER}))
class LosesNoAnswer(ReferenceBackend):
    """The simulator of a vendor that charges cannot lose an answer."""


@caught_by("R51", GivesOneId)
class OneIdOfItsVendor(HttpReference):
    """The simulator gives every call one id."""


@caught_by("R51", vendor(last_id="call-1"))
class ForgetsTheId(ReferenceBackend):
    """The id of a call is not read, so nobody can ask about it."""

    def result(self, call, body):
        return evolve(super().result(call, body), ids=models.Ids())
