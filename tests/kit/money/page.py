"""The page of all outcomes, with those that are alike in one row."""

import collections

from kit.money.faults import CASES, GATES, NO_FAULT, VERSIONS

TITLES = {"didit": "Didit", "deepvue": "Deepvue"}
HEAD = (
    "What breaks",
    "Carried out",
    "The call ends with",
    "`billed`",
    "The vendor's books",
    "The client's books",
    "Paid requests",
)
COUNTED = {"": "nothing", "spent": "1 spent", "unknown": "1 unknown"}


def tables(outcomes):
    return "\n\n".join(_of_vendor(vendor, outcomes) for vendor in VERSIONS)


def _of_vendor(vendor, outcomes):
    groups = collections.defaultdict(list)
    for setting in GATES:
        found = {
            (version, case): outcomes[vendor, version, setting, case]
            for version in VERSIONS[vendor]
            for case in CASES
        }
        groups[tuple(found.items())].append(setting)
    (plain, alike), *others = ((dict(found), names) for found, names in groups.items())
    parts = [f"## {TITLES[vendor]}", _sentence("With", alike), _table(vendor, plain)]
    for found, names in others:
        parts.append(_sentence("Differently with", names))
        parts.append(_table(vendor, {key: o for key, o in found.items() if plain[key] != o}))
    return "\n\n".join(parts)


def _sentence(word, names):
    all_of_them = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
    return f"{word} {all_of_them}:"


def _table(vendor, found):
    rows = collections.defaultdict(lambda: collections.defaultdict(list))
    for (version, case), outcome in found.items():
        rows[outcome, _carried_out(case)][case].append(version)
    lines = [HEAD, ("---",) * len(HEAD)]
    if len(set(found.values())) == 1:
        outcome = next(iter(found.values()))
        rows = {}
        cells = ("whatever breaks", "no", _end(outcome), outcome.billed)
        lines.append((*cells, *_numbers(outcome)))
    for (outcome, carried_out), cases in rows.items():
        cells = (_named(vendor, cases), carried_out, _end(outcome), outcome.billed)
        lines.append((*cells, *_numbers(outcome)))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _carried_out(case):
    if case.stage in ("mid_headers", "mid_body", NO_FAULT.stage):
        return "yes"
    return "yes" if case.more.get("executed") else "no"


def _end(outcome):
    return f"a result ({outcome.error})" if outcome.error.isupper() else f"`{outcome.error}`"


def _numbers(outcome):
    counted = [COUNTED[word] for word in outcome.counted]
    both = zip(map(str, outcome.charges), counted, map(str, outcome.requests), strict=True)
    first, second = both
    if outcome.requests[1] == 0:
        return first
    return tuple(f"{one}, then {other}" for one, other in zip(first, second, strict=True))


def _named(vendor, cases):
    """Everything that breaks in this row, by stage and kind."""
    stages = collections.defaultdict(lambda: collections.defaultdict(list))
    for case, versions in cases.items():
        kinds = stages[case.stage.replace("_", " ")][case.kind.replace("_", " ")]
        only = "" if len(versions) == len(VERSIONS[vendor]) else f" ({', '.join(versions)})"
        kinds.append(f"{case.more.get('status', '')}{only}".strip())
    return "; ".join(
        f"{stage}: " + ", ".join(_kind(kind, words) for kind, words in kinds.items())
        if any(kinds)
        else stage
        for stage, kinds in stages.items()
    )


def _kind(kind, words):
    return " ".join([kind, *filter(None, ["/".join(dict.fromkeys(filter(None, words)))])])
