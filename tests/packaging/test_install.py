"""How the Makefile installs: from where pip would."""

import runpy
from pathlib import Path

import pytest

INSTALL = runpy.run_path(str(Path(__file__).parents[2] / "requirements" / "install.py"))


@pytest.mark.parametrize(
    ("listed", "variables"),
    [
        ("", {}),
        ("global.index-url='https://a/simple'", {"UV_DEFAULT_INDEX": "https://a/simple"}),
        # What is nearer to the command wins: pip install's own section, then a variable.
        (
            "install.index-url='https://b'\nglobal.index-url='https://a'",
            {"UV_DEFAULT_INDEX": "https://b"},
        ),
        (
            ":env:.index-url='https://c?d=e'\nglobal.index-url='https://a'",
            {"UV_DEFAULT_INDEX": "https://c?d=e"},
        ),
        (r"global.extra-index-url='\nhttps://a\nhttps://b'", {"UV_INDEX": "https://a https://b"}),
        ("global.find-links='/a /b'", {"UV_FIND_LINKS": "/a,/b"}),
        ("global.trusted-host='a b'", {"UV_INSECURE_HOST": "a b"}),
        ("global.proxy='http://a:1'", {"ALL_PROXY": "http://a:1"}),
        (
            "global.cert='/a.pem'\nglobal.client-cert='/b.pem'",
            {"SSL_CERT_FILE": "/a.pem", "SSL_CLIENT_CERT": "/b.pem"},
        ),
        (":env:.default-timeout='180'", {"UV_HTTP_TIMEOUT": "180"}),
        ("freeze.timeout='10'\nglobal.no-color='true'", {}),
    ],
)
def test_what_pip_is_set_to_is_said_to_uv_in_its_own_words(listed, variables):
    defaults = INSTALL["uv_variables"]("")
    assert INSTALL["uv_variables"](listed) == {**defaults, **variables}


@pytest.mark.parametrize(
    ("listed", "options"),
    [
        ("", []),
        ("global.no-index='true'", ["--no-index"]),
        (":env:.no-index='1'", ["--no-index"]),
        ("global.no-index='true'\n:env:.no-index='0'", []),
        ("download.no-index='true'", []),
        ("global.no-index=''", []),
    ],
)
def test_where_pip_asks_no_index_uv_asks_none(listed, options):
    assert INSTALL["uv_options"](listed) == options
