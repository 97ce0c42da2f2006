"""Which modules have mutants, and the tests that are aimed at each: pure mappings, no network."""

MODULES = {"didit": ("wire", "words"), "deepvue": ("_wire", "_verdict", "_reading")}
TESTS = {
    "didit": ("reading", "wire", "verdicts", "request", "errors", "search", "age", "lookups"),
    "deepvue": ("reading", "wire", "verdicts"),
}

AIMS = {
    f"facematch_{vendor}.{module}": [
        f"tests/backends/{vendor}/test_{name}.py" for name in TESTS[vendor]
    ]
    for vendor, modules in MODULES.items()
    for module in modules
}

#: Names that only type checkers read.
UNREAD = frozenset({"D", "Faces"})

#: Of all mutants of a module, the least share that must be killed.
BAR = 0.95
