"""The command line, with the fixtures of every command."""

from kit.commands import *  # noqa: F403 - each fixture, `_here` among them, which every test uses
from kit.comparison.studies import in_file_order  # noqa: F401 - a fixture
