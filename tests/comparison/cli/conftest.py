"""The command line, with the fixtures of every command."""

import pytest
from kit.commands import *  # noqa: F403 - each fixture, `_here` among them, which every test uses
from kit.comparison.studies import in_file_order  # noqa: F401 - a fixture


@pytest.fixture
def refused(screens, tmp_path):
    """Each line of options is wrong usage (2), prints no answer, and leaves all files alone."""

    def there():
        paths = [path for path in tmp_path.rglob("*") if path.is_file()]
        # A run database that is there is opened before the words are refused.
        return {path: "study.sqlite3" in path.name or path.read_bytes() for path in paths}

    def check(command, *lines):
        before = there()
        with screens(f"{command}-refused") as show:
            for line in lines:
                assert show("", f"compare {command} {line}", code=2).stdout == ""
        assert there() == before

    return check
