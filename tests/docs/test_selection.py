"""What `make test` may leave out of a branch's tests, and what it may not."""

import pytest
from kit import unchanged

PARTS = {part.name for part in unchanged.PARTS}
CONTRACTS = {name for name in PARTS if name.startswith("the contract of ")}


@pytest.mark.parametrize(
    ("changed", "run"),
    [
        ("README.md", set()),
        ("facematch_core/cli/verify.py", set()),
        ("comparison/facematch_comparison/gate.py", {"the comparison"}),
        ("facematch_core/tables.py", {"the comparison"}),
        ("backends/facematch_azure/backend.py", {"the contract of azure"}),
        ("mock_server/facematch_mock_server/vendors/didit/vendor.py", {"the contract of didit"}),
        ("facematch_core/http.py", CONTRACTS),
        ("facematch_core/testing/bench.py", {*CONTRACTS, "the kit's mutants"}),
        ("tests/mutants/table.py", {*CONTRACTS, "the kit's mutants"}),
        ("tests/kit/fakes.py", PARTS),
        ("pyproject.toml", PARTS),
        ("requirements/dev.txt", PARTS),
    ],
)
def test_what_a_change_may_have_broken_is_run(changed, run):
    unchanged_parts = unchanged.find_unchanged({changed, "docs/index.md"})
    assert {part.name for part in unchanged_parts} == PARTS - run


def test_where_nobody_knows_what_changed_all_is_run(monkeypatch, tmp_path):
    monkeypatch.setattr(unchanged, "ROOT", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert unchanged.find_unchanged(unchanged.find_changes()) == []


def test_every_part_is_there():
    for part in unchanged.PARTS:
        for place in (*(f"tests/{name}" for name in part.tests), *part.sources):
            assert (unchanged.ROOT / place).exists(), place
