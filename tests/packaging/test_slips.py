"""What `make test-slips` changes, and how it tells which tests fail."""

import random

from kit.slips import NO_START, draw, failing_tests, run_tests, slips_in

MODULE = '''"""A text of "==" is left alone."""

LIMIT = 3
WORDS = {"approved": True}
MESSAGE = "A sentence stays."


class Case:
    """So is this one."""

    status: str = "open"
    tries: int = 1

    def may(self, age: "int") -> bool:
        return age < LIMIT and self.tries != 2


def name():
    return "no word of a function"
'''


def test_each_level_has_its_slips_and_texts_stay():
    changes = {(slip.level, slip.line, slip.before, slip.after) for slip in slips_in(MODULE)}
    assert changes == {
        ("module", 3, "3", "4"),
        ("module", 4, '"approved"', "'approved-slip'"),
        ("module", 4, "True", "False"),
        ("class", 11, '"open"', "'open-slip'"),
        ("class", 12, "1", "2"),
        (
            "function",
            15,
            "age < LIMIT and self.tries != 2",
            "(age < LIMIT or self.tries != 2)",
        ),
        ("function", 15, "age < LIMIT", "age <= LIMIT"),
        ("function", 15, "self.tries != 2", "self.tries == 2"),
        ("function", 15, "2", "3"),
    }


def test_each_slip_is_a_module_that_differs_in_one_line():
    for slip in slips_in(MODULE):
        compile(slip.text, "module.py", "exec")
        before = MODULE.splitlines()
        after = slip.text.splitlines()
        differing = [number for number, line in enumerate(before, 1) if line != after[number - 1]]
        assert differing == [slip.line]


def test_as_many_are_drawn_of_each_level_and_a_seed_draws_them_again():
    files = {"module.py": MODULE}
    drawn = draw(files, 6, random.Random(1))
    assert [slip.level for _, slip in drawn] == ["module", "class", "function"] * 2
    assert len(set(drawn)) == 6
    assert drawn == draw(files, 6, random.Random(1))


def test_tests_that_fail_are_named_and_the_file_is_as_before(tmp_path):
    (tmp_path / "limit.py").write_text("LIMIT = 3\nOTHER = 5\n")
    (tmp_path / "test_limit.py").write_text(
        "import limit\n\n\ndef test_limit():\n    assert limit.LIMIT == 3\n\n\n"
        "def test_both():\n    assert limit.LIMIT < limit.OTHER\n"
    )
    of_limit, of_other = slips_in((tmp_path / "limit.py").read_text())
    options = ["-p", "no:cacheprovider", "-p", "no:facematch"]
    failed = failing_tests(tmp_path, "limit.py", of_limit, options)
    assert failed == ["test_limit.py::test_limit"]
    assert failing_tests(tmp_path, "limit.py", of_other, options) == []
    assert (tmp_path / "limit.py").read_text() == "LIMIT = 3\nOTHER = 5\n"


def test_a_run_that_does_not_start_is_no_run_without_failures(tmp_path):
    assert run_tests(tmp_path, ["no/such/tests"]) == [NO_START]
