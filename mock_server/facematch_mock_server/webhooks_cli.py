"""`facematch webhooks`: try your webhook receiver with forged and genuine deliveries."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import attrs
import click
import requests

from facematch_core.base.addresses import is_loopback
from facematch_core.base.files import read_text
from facematch_core.cli.text import Exit, print_json, print_table, say

if TYPE_CHECKING:
    from facematch_mock_server.server import MockServer
    from facematch_mock_server.world.receivers import ReceiverTrial, TrialAnswer

#: The vendors whose mocks send webhooks.
_VENDORS = ("didit", "onfido", "persona", "stripe", "sumsub", "veriff")


def _save_call_at_didit(mock: MockServer) -> None:
    """Make a call that Didit stores as a session.

    The letter outside ASCII finds a receiver that escapes it in the message of X-Signature-V2.
    """
    from facematch_mock_server import make_card

    with requests.Session() as session:
        # A proxy of the environment does not reach this machine.
        session.trust_env = False
        answer = session.post(
            f"{mock.url}/v3/passive-liveness/",
            headers={"x-api-key": mock.live_key},
            data={"save_api_request": "true", "vendor_data": "j\u00f8rgen"},
            files={"user_image": ("card.png", make_card("p1"))},
            timeout=30,
        )
        answer.raise_for_status()


def _settings_of_backend(mock: MockServer, vendor: str) -> dict[str, Any]:
    """Return the settings with which the vendor's backend starts a session at its mock."""
    settings: dict[str, dict[str, Any]] = {
        "onfido": {
            "api_token": mock.live_key,
            "workflow_id": str(uuid.uuid4()),
            "face_output": "selfie",
            "document_output": "doc",
        },
        "persona": {"api_key": mock.live_key, "template_id": "itmpl_mock"},
        "stripe": {"api_key": mock.live_key},
        "sumsub": {
            "app_token": mock.client_id,
            "secret_key": mock.live_key,
            "level_name": "basic",
        },
        "veriff": {
            "api_key": mock.client_id,
            "shared_secret": mock.live_key,
            "solution": "document_selfie",
        },
    }
    return settings[vendor]


def _pass_session(mock: MockServer, vendor: str) -> None:
    """Start a session at a vendor's mock, and pass it as its person."""
    from facematch_core import open_sessions

    with open_sessions(
        vendor,
        base_url=mock.url,
        compared_with="document",
        expects=["match"],
        require_environment="mock",
        **_settings_of_backend(mock, vendor),
    ) as sessions:
        started = sessions.start(sessions.plan("a-person", purpose="webhook"))
    mock.control.sessions.finish(started.record.session_id)


@click.command("webhooks")
@click.argument("url")
@click.option(
    "--vendor",
    type=click.Choice(_VENDORS),
    default="didit",
    show_default=True,
    help="Vendor whose webhooks the receiver takes.",
)
@click.option(
    "--secret-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    required=True,
    help="File with the secret that the receiver verifies signatures with.",
)
@click.option(
    "--deliver-to",
    metavar="HOST",
    help="Host of the URL, if it is not this machine: confirms that it is your own.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    *,
    url: str,
    vendor: str,
    secret_file: Path,
    deliver_to: str | None,
    as_json: bool,
) -> int:
    """Try your webhook receiver with forged and genuine deliveries.

    Forged deliveries are unsigned, signed with another secret, and changed; genuine ones are right,
    and the same again. If the vendor signs the time (didit, persona, stripe), one more is forged,
    too old, and three more are genuine: retried with a new time, and two in the wrong order. The
    limit is 300 s for didit and stripe, as they document; persona documents none, and the 2 h are
    facematch's own. The session is a mock's: use a receiver that may see it, such as a test server
    of your own.

    The JSON has a form that no usual writer has, so a receiver that verifies re-encoded JSON
    instead of the bytes received rejects it.

    The exit code is 0 if the receiver accepts (2xx) exactly the genuine ones, 1 if it accepts a
    forged one or rejects a genuine one, and 3 if it accepts none in any form, which shows nothing.
    """
    # Imported here, because `facematch --help` must not load the mock.
    from facematch_mock_server.server import MockServer
    from facematch_mock_server.world.outgoing import may_send

    host = _host_of(url)
    if not may_send(url, (host,)):
        raise click.UsageError(
            f"{url[:200]!r} cannot be requested: write it in ASCII without spaces, with a port "
            "from 1 to 65535."
        )
    if not is_loopback(host) and host != (deliver_to or "").lower():
        raise click.UsageError(
            f"{host} is not this machine: add --deliver-to {host} if the receiver there is your "
            "own."
        )
    secret = read_text(secret_file, "secret file").strip()
    if not secret:
        raise click.UsageError(f"{secret_file} is empty: write the receiver's secret into it.")
    try:
        server = MockServer(vendor=vendor, deliver_to=[host])
    except ValueError as error:  # no server can have a host of this name
        raise click.UsageError(f"--deliver-to: {error}.") from None
    with server as mock:
        if vendor == "didit":
            _save_call_at_didit(mock)
        else:
            _pass_session(mock, vendor)
        trial = mock.control.webhooks.try_receiver(url, secret=secret)
    if as_json:
        print_json(attrs.asdict(trial))
    else:
        _show(trial)
    if not trial.is_telling:
        return Exit.LOOK
    return Exit.OK if trial.is_passed else Exit.NO


def _host_of(url: str) -> str:
    """Return the host of a receiver's URL; raise `click.UsageError` if it has none."""
    try:
        address = urlsplit(url)
    except ValueError:  # such as an IPv6 address without its second bracket
        address = urlsplit("")
    if address.scheme not in ("http", "https") or not address.hostname:
        raise click.UsageError(f"The URL must begin with http:// or https://, not {url[:60]!r}.")
    return address.hostname


def _show(trial: ReceiverTrial) -> None:
    from facematch_mock_server.world.receivers import UNSIGNED

    rows = []
    for answer in trial.answers:
        expected = "reject" if answer.is_forged else "accept"
        rows.append((answer.name, expected, _describe(answer), "" if answer.is_right else "wrong"))
    print_table(("delivery", "expected", "answer", ""), rows)
    if all(answer.status is None for answer in trial.answers):
        say("The receiver answered no delivery: check the URL, and that it is running.")
        return
    if not trial.is_telling:
        say(
            "The receiver rejected every delivery, so it cannot be told what it verifies: check "
            "the URL and the secret, and that it verifies the bytes received."
        )
        return
    if trial.verifies_json_of is not None:
        say(
            f"It verifies re-encoded JSON, in the form of {trial.verifies_json_of}, instead of the "
            "bytes received: verify the raw body."
        )
        return
    if trial.accepts_unsigned:
        say("It accepts unsigned deliveries.")
    for answer in trial.answers:
        if answer.name == UNSIGNED and answer.is_accepted:
            continue
        if answer.is_forged and answer.is_accepted:
            say(f"It accepted a forged delivery: {answer.name}.")
        elif not answer.is_right:
            say(f"It rejected a genuine delivery: {answer.name}.")


def _describe(answer: TrialAnswer) -> str:
    return answer.problem or str(answer.status)
