"""Latterly, simulated on this machine, as its documents describe it.

**Invented**, read 2026-11-22:

- Every request has the header ``X-Api-Key``.
- ``POST /jobs`` takes a JSON object: ``probe`` and ``reference`` (JPEG or PNG in base64, at most
  2 MB and 4096 pixels a side each). It answers 202 with the address of the job in ``Location``,
  and ``{"id": "job_1", "state": "queued"}``.
- ``GET /jobs/ID`` answers 200 with the same object. ``state`` is ``queued`` or ``running``, then
  ``done`` with ``similarity`` (0 to 1), or ``failed`` with ``reason``: ``no_face``, for one.
  ``Retry-After`` says when to ask.
- ``DELETE /jobs/ID`` makes it forget a job and its result: 204.
- Refusals: 401 wrong key, 402 empty account, 404 unknown job, 422 bad request, 429 too many, 503
  its own faults.

For tests alone, and for `facematch conformance`, which finds it by its entry point. Nothing else
imports this module: it needs ``facematch-latterly[testing]``.
"""

import base64
import itertools
from collections.abc import Mapping
from typing import Any

from facematch_core.backend import ImageFormat, ImageLimits
from facematch_core.testing import HttpSimulator, SimulatorReply, SimulatorRequest, Situation

from ._backend import LatterlyBackend

KEY = "an-example-of-a-key-4f7e1c2ab9"
PICTURES = ("probe", "reference")

#: How often a job says that it is running before it is done.
RUNNING = 1

#: What each refusal of a request says, of a job or of a question.
REFUSALS: dict[Situation, tuple[int, str, dict[str, str]]] = {
    Situation.BAD_KEY: (401, "Unknown key.", {}),
    Situation.NO_CREDIT: (402, "The account is empty.", {}),
    Situation.REJECTED: (422, "The field probe is missing.", {}),
    Situation.THROTTLED: (429, "Too many requests.", {"Retry-After": "2"}),
    Situation.OUTAGE: (503, "Something went wrong.", {}),
}

#: How a job ends, where it is not the usual way.
ENDS: dict[Situation, dict[str, Any]] = {
    Situation.DIFFERENT_PEOPLE: {"state": "done", "similarity": 0.1225},
    Situation.NO_FACE: {"state": "failed", "reason": "no_face"},
    Situation.NULL_SCORE: {"state": "done", "similarity": None},
    Situation.IMPOSSIBLE_SCORE: {"state": "done", "similarity": 2.5},
}


class LatterlySimulator(HttpSimulator):
    """Answers over a port of this machine; `set_situation` says how."""

    situations = HttpSimulator.FAULTS | {
        Situation.SAME_PERSON,
        Situation.SCORE,
        Situation.UNREADABLE_200,
        Situation.NEVER_DONE,
        *REFUSALS,
        *ENDS,
    }
    cannot_happen: Mapping[Situation, str] = {
        Situation.SPOOF: "Latterly has no word for a photograph of a photograph.",
        Situation.TWO_FACES: "Latterly does not count the faces in a picture.",
        Situation.UNKNOWN_STATUS: "Latterly gives no verdict.",
        Situation.UNKNOWN_WARNING: "Latterly sends no warnings.",
        Situation.DEMOGRAPHICS: "Latterly guesses nothing about people.",
    }
    #: The job, and each question until it is done.
    steps = 1 + RUNNING + 1
    secrets = (KEY,)
    limits = ImageLimits(
        formats={ImageFormat.JPEG, ImageFormat.PNG}, max_bytes=2_000_000, max_side_px=4096
    )

    def __init__(self) -> None:
        super().__init__()
        self._numbers = itertools.count(1)
        #: How often each job was asked about.
        self._jobs: dict[str, int] = {}

    @property
    def jobs(self) -> set[str]:
        """The jobs that Latterly knows."""
        return set(self._jobs)

    def backend(self, **settings: Any) -> LatterlyBackend:
        usual: dict[str, Any] = {"api_key": KEY, "base_url": self.url}
        return LatterlyBackend(**usual | settings)

    @property
    def received(self) -> dict[str, Any]:
        if self.last is None:
            return {}
        sent = self.last.json()
        return {name: base64.b64decode(sent[name]) for name in PICTURES}

    def ends(self, request: SimulatorRequest) -> bool:
        return self._jobs.get(request.path.removeprefix("/jobs/"), 0) >= RUNNING

    def answer(
        self, request: SimulatorRequest, situation: Situation, score: float | None
    ) -> SimulatorReply:
        if request.headers["X-Api-Key"] != KEY:
            situation = Situation.BAD_KEY
        if request.method == "DELETE" and situation is not Situation.BAD_KEY:
            forgotten = self._jobs.pop(request.path.removeprefix("/jobs/"), None)
            return SimulatorReply(status=404 if forgotten is None else 204, body=b"")
        if situation in REFUSALS:
            status, error, headers = REFUSALS[situation]
            return SimulatorReply(status=status, body={"error": error}, headers=headers)
        if request.method == "POST":
            return self._accepted(situation)
        return self._state(request.path.removeprefix("/jobs/"), situation, score)

    def _accepted(self, situation: Situation) -> SimulatorReply:
        """A job is charged when it is accepted."""
        if situation is Situation.UNREADABLE_200:
            return SimulatorReply(status=202, body={"result": "ok"}, charged=True)
        job = f"job_{next(self._numbers)}"
        self._jobs[job] = 0
        return SimulatorReply(
            status=202,
            headers={"Location": f"/jobs/{job}", "Retry-After": "1"},
            body={"id": job, "state": "queued"},
            charged=True,
        )

    def _state(self, job: str, situation: Situation, score: float | None) -> SimulatorReply:
        """What is said of a job, for nothing."""
        if job not in self._jobs:
            return SimulatorReply(status=404, body={"error": "There is no such job."})
        if situation is Situation.UNREADABLE_200:
            return SimulatorReply(body={"result": "ok"}, charged=False)
        self._jobs[job] += 1
        if self._jobs[job] <= RUNNING or situation is Situation.NEVER_DONE:
            running = {"id": job, "state": "running"}
            return SimulatorReply(body=running, headers={"Retry-After": "1"}, charged=False)
        similarity = 0.935 if score is None else score / 100
        end = ENDS.get(situation, {"state": "done", "similarity": similarity})
        return SimulatorReply(body={"id": job} | end, charged=False)
