"""Make the first calls to a vendor with the key in the environment, and print their statuses."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import click
import requests

from facematch_mock_server.base.sent import make_request
from facematch_mock_server.vendors import vendor_named

from .plans import fill_call, kept_values, pictures_of, plan_names, read_plan, values_of


@click.command()
@click.argument("vendor", type=click.Choice(plan_names()))
@click.argument(
    "files", nargs=3, type=click.File("rb"), metavar="[SAME AGAIN OTHER]", required=False
)
@click.option(
    "--attack",
    type=click.File("rb"),
    metavar="FILE",
    help="A photograph of a photograph, or a mask.",
)
def main(vendor: str, files: Any, attack: Any) -> None:
    """Make the first calls to VENDOR with the key in the environment.

    SAME and AGAIN are pictures of one person, OTHER is one of another person; without them, test
    cards are sent. A picture of two people is SAME beside OTHER. FIRST_CALLS_URL is the address of
    your own server, or of another region.
    """
    plan = read_plan(vendor)
    try:
        pictures = pictures_of(plan, files or ())
    except OSError:
        raise click.UsageError("SAME and OTHER must be pictures.") from None
    if attack is not None:
        pictures["spoof"] = attack.read()
    for call, reply in make_calls(vendor, plan, pictures):
        if isinstance(reply, KeyError):
            click.echo(f"{call['name']}: not made, because {reply} is not known")
        else:
            click.echo(f"{call['name']}: {reply.status_code}")


def make_calls(
    vendor: str, plan: Mapping[str, Any], pictures: Mapping[str, bytes]
) -> Iterator[tuple[Mapping[str, Any], requests.Response | KeyError]]:
    """Make the calls of a plan in their order; yield each with its reply.

    A call for which a value is missing is not made, and has the KeyError in the reply's place.
    Raise ClickException if the vendor does not answer.
    """
    values = values_of(pictures)
    sign_again = vendor_named(vendor).sign_again
    for described in plan["call"]:
        try:
            call = fill_call(plan, described, values)
        except KeyError as missing:
            yield described, missing
            continue
        time.sleep(plan.get("pause_s", 0))
        host = urlsplit(call["url"]).netloc
        request = make_request(call, method=call["method"], host=host, pictures=pictures)
        if sign_again and call["secret"]:
            request = sign_again(request, client=call["client"], secret=call["secret"])
        try:
            reply = requests.request(
                request.method,
                call["url"] + request.target,
                headers=dict(request.headers),
                data=bytes(request.body),
                # Without it, requests puts a password of ~/.netrc over the key.
                auth=lambda prepared: prepared,
                allow_redirects=False,
                timeout=60,
            )
        except requests.RequestException as error:
            raise click.ClickException(f"{host} did not answer: {type(error).__name__}") from None
        values |= kept_values(call, reply.text)
        yield described, reply


if __name__ == "__main__":
    main()
