"""Which modules have mutants, and the tests that are aimed at each: pure mappings, no network."""


def _of(vendor):
    folder = f"tests/backends/{vendor}"
    return [f"{folder}/test_{name}.py" for name in ("reading", "wire", "verdicts")]


AIMS = {
    f"facematch_{vendor}.{module}": _of(vendor)
    for vendor in ("didit", "deepvue")
    for module in ("_wire", "_verdict", "_reading")
}

#: Names that only type checkers read.
UNREAD = frozenset({"D", "Faces"})

#: Of all mutants of a module, the least share that must be killed.
BAR = 0.95
