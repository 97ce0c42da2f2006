"""Generate tables of the pages from the code of the mock, as Markdown."""

from __future__ import annotations

from _markdown import cells

from facematch_mock_server import card_sheet
from facematch_mock_server.control import operations_of
from facematch_mock_server.control.table import ControlOperation
from facematch_mock_server.recognition.outcomes import OUTCOME_FIELDS
from facematch_mock_server.vendors import vendor_named, vendor_names
from facematch_mock_server.world.faults import CARRIED_OUT, POSSIBLE, Kind, Stage


def table_of_cards() -> str:
    """Return the table of the included cards."""
    rows = [cells("Card", "What it is"), "|---|---|"]
    rows += [cells(f"`{card.name}`", card.says) for card in card_sheet().values()]
    return "\n".join(rows)


#: Operations whose arguments are documented elsewhere on the page.
WITH_OWN_TABLE = {"faults", "limits", "outcomes", "replies"}


def list_of_operations() -> str:
    """Return the list of the control API, without the lists and `clear` of each collection."""
    words = {"webhooks/deliveries/{}": "ID"}
    had: dict[tuple[str, str], list[str]] = {}
    operations = {}
    for name in vendor_names():
        for key, operation in operations_of(vendor_named(name)).items():
            had.setdefault(key, []).append(vendor_named(name).title)
            operations.setdefault(key, operation)
    lines = []
    for key in sorted(operations, key=lambda key: (key[1], key[0])):
        (method, path), operation = key, operations[key]
        takes = {name for each in vendor_names() for name in takes_of(each, key)}
        is_list = method == "GET" and not takes and ("POST", path) in operations
        if not path or is_list or path.endswith("/clear"):
            continue
        alone = f" ({had[key][0]} only)" if len(had[key]) == 1 else ""
        needed = [f"**`{name}`**" for name in sorted(operation.required)]
        others = [f"`{name}`" for name in sorted(takes - operation.required)]
        is_below = method == "POST" and path in WITH_OWN_TABLE
        takes_all = "see below" if is_below else ", ".join(needed + others)
        arguments = f" ({takes_all})" if takes_all else ""
        place = f"`{method} {path.replace('{}', words.get(path, 'NAME'))}`"
        lines.append(f"- {place}{arguments}: {method_of(operation)}{alone}")
    return "\n".join(lines)


def method_of(operation: ControlOperation) -> str:
    """Return the Python method that does the same, or else the operation's summary."""
    name = operation._function.__name__  # noqa: SLF001
    return operation.summary if name.startswith("_") else f"`{name}`"


def takes_of(vendor: str, key: tuple[str, str]) -> list[str]:
    """Return the arguments of an operation at a vendor."""
    operation = operations_of(vendor_named(vendor)).get(key)
    return [] if operation is None else list(operation.parameters)


def list_of_outcomes() -> str:
    """Return the list of the fields of an outcome."""
    lines = []
    for row in OUTCOME_FIELDS.values():
        alone = "" if row.outcome_kind is None else f"; {row.outcome_kind} only"
        lines.append(f"- `{row.name}` ({row.values}{alone}): {row.description}")
    return "\n".join(lines)


def table_of_faults() -> str:
    """Return the tables of the stages and the kinds of faults."""
    rows = [cells("Stage", "When it applies", "Kinds", "Charged"), "|---|---|---|---|"]
    whether = {True: "yes", False: "no", None: "no, unless `executed` is true"}
    for stage, kinds in POSSIBLE.items():
        names = ", ".join(f"`{kind}`" for kind in sorted(kinds))
        charged = whether[CARRIED_OUT.get(stage)]
        if Kind.DELAY in kinds:
            charged += "; with `delay` yes, if the client waits"
        rows.append(cells(f"`{stage}`", AT[stage], names, charged))
    rows += ["", cells("Kind", "What the client gets"), "|---|---|"]
    rows += [cells(f"`{kind}`", GETS[kind]) for kind in Kind]
    return "\n".join(rows)


AT = {
    Stage.CONNECT: "a new connection, before a byte is read",
    Stage.MID_UPLOAD: "after the first part of the body",
    Stage.AFTER_UPLOAD: "after the whole request",
    Stage.MID_HEADERS: "within the head of the response",
    Stage.MID_BODY: "within the body of the response",
    Stage.ANSWER: "a complete response replaces the vendor's",
}
GETS = {
    Kind.RESET: "the connection is reset (RST)",
    Kind.TRUNCATE: "the connection is closed (FIN) before the response is complete",
    Kind.DRIBBLE: "the rest arrives one byte every `seconds`",
    Kind.DELAY: "everything is `seconds` late",
    Kind.GARBAGE: "bytes that are not HTTP",
    Kind.HTML: "an HTML page with `status`",
    Kind.WRONG_JSON: "JSON of another shape with `status`",
    Kind.JSON: "your own JSON, `body`, with `status`",
    Kind.STATUS: "the vendor's own error: that of `claim`, or else the one for `status`, if known",
}


def list_of_switches(vendor: str) -> str:
    """Return the list of the switches and settings of a vendor; settings of one kind together."""
    kind = vendor_named(vendor)
    lines = []
    for name, values in kind.switches.items():
        lines.append(f"- `{name}`: {', '.join(f'`{value!r}`' for value in values)}")
    window = "the window" if vendor == "deepvue" else "a minute"
    kinds = {
        "amount": "USD",
        "count": "bytes, from 1 on",
        "delay": "seconds",
        "limit": f"requests in {window}, or None",
        "seconds": "seconds, from 1 on",
        "score": "0-100",
    }
    together: dict[str, list[str]] = {}
    for name, (_, number) in kind.settings.items():
        together.setdefault(kinds[number], []).append(f"`{name}`")
    for values, names in together.items():
        lines.append(f"- {', '.join(names)}: {values}")
    return "\n".join(lines)
