"""What may happen to a client of two vendors, and the script of what did."""

import attrs

from facematch_mock_server.faults import POSSIBLE, Stage

#: Statuses by which a request is refused before any work, whoever refuses it.
REFUSED = (400, 401, 402, 403, 404, 413, 422, 429)


@attrs.frozen
class Breakage:
    """One fault, with what it needs.

    Attributes:
        stage, kind: Where and what.
        more: Further arguments of `Fault`.
    """

    stage: str
    kind: str
    more: dict = attrs.field(factory=dict, hash=False)


#: No byte comes for so long that nobody waits for it.
SILENT = {"seconds": 60}
#: JSON in the form in which both vendors report their own faults.
OWN = {"detail": "A sentence of the vendor's."}


def _on_the_wire():
    for stage, kinds in POSSIBLE.items():
        for kind in sorted(kinds) if stage is not Stage.ANSWER else ():
            more = dict(SILENT) if kind in ("delay", "dribble") else {}
            for executed in (False, True) if stage is Stage.AFTER_UPLOAD else (None,):
                done = {} if executed is None else {"executed": executed}
                yield Breakage(stage.value, kind.value, more | done)


def _answers():
    for status in REFUSED:
        yield Breakage("answer", "status", {"status": status, "executed": False})
    for kind, statuses in {
        "status": (408, 500, 502, 503, 504),
        "wrong_json": (500, 503),
        "html": (302, 400, 500, 502, 503, 504),
    }.items():
        for status in statuses:
            for executed in (False, True):
                yield Breakage("answer", kind, {"status": status, "executed": executed})
    for status in (401, 404, 413, 429):
        yield Breakage("answer", "html", {"status": status, "executed": False})
    for status in (500, 503):
        yield Breakage("answer", "json", {"status": status, "executed": False, "body": OWN})


#: Everything that the mock can break, except what no client can know.
FAULTS = (*_on_the_wire(), *_answers())
#: Answers 200 in the place of those to calls that were carried out. They strike a call that was
#: refused as well, and then it is not charged: no client can know that either.
UNREADABLE = tuple(
    Breakage("answer", kind, {"status": 200, "executed": True, **more})
    for kind, more in {"html": {}, "wrong_json": {}, "json": {"body": OWN}}.items()
)


@attrs.define
class Story:
    """`Books`, and what happened to them as a script that runs.

    Attributes:
        kind: A class of `Books`.
        made: Its arguments.
    """

    kind: type
    made: dict
    lines: list = attrs.field(init=False, factory=list)
    books: object = attrs.field(init=False)
    failed: bool = attrs.field(init=False, default=False)

    def __attrs_post_init__(self):
        self.books = self.kind(**self.made)

    def tell(self, name, *given, **named):
        """One thing happens; if the books do not agree then, the script is with the error."""
        words = [repr(one) for one in given] + [f"{key}={one!r}" for key, one in named.items()]
        self.lines.append(f"books.{name}({', '.join(words)})")
        try:
            getattr(self.books, name)(*given, **named)
        except BaseException as error:
            self.failed = True
            error.add_note(f"Run from the root of the checkout:\n\n{self.script()}")
            raise

    def script(self):
        """A program that does the same."""
        made = ", ".join(f"{key}={one!r}" for key, one in self.made.items() if key != "store")
        return "\n".join(
            [
                "import sys",
                "",
                'sys.path.insert(0, "tests")',
                f"from {self.kind.__module__} import {self.kind.__name__}",
                "",
                f"books = {self.kind.__name__}({made})",
                *self.lines,
            ]
        )

    def end(self):
        """Settle everything, unless something went wrong before."""
        try:
            if not self.failed:
                self.tell("invoice")
        finally:
            self.books.close()
