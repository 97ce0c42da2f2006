"""`make lint` finds functions above eight lines that state no contract."""

import pytest
from kit.stated import main

LONG = "".join(f"    a = {number}\n" for number in range(9))
SHORT = "".join(f"    a = {number}\n" for number in range(8))


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (f"def f():\n{LONG}", 1),
        (f"async def f():\n{LONG}", 1),
        (f"class C:\n    def f(self):\n{LONG.replace('    ', '        ')}", 1),
        (f'def f():\n    """Return nothing."""\n{LONG}', 0),
        (f"def f():\n{SHORT}", 0),
    ],
)
def test_only_a_long_function_without_a_docstring_is_listed(tmp_path, capsys, text, status):
    (tmp_path / "module.py").write_text(text)
    assert main([str(tmp_path)]) == status
    assert ("module.py:" in capsys.readouterr().out) == bool(status)
