"""The command line, with the fixtures of every command."""

from kit.commands import *  # noqa: F403 - each fixture, `_here` among them, which every test uses
