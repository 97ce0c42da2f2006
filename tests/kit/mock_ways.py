"""The same request by hand over a socket, and by requests."""

import requests
from kit import front as prepared
from kit.rawclient import RawClient, chunked

#: Headers that belong to the connection, not to the answer.
FRONTS = {"date", "server", "connection", "keep-alive", "transfer-encoding", "content-length"}


def prepare(sent, url):
    """The request as requests would send it; a body in pieces goes out in chunks."""
    data = iter(sent["pieces"]) if sent.get("pieces") is not None else sent["body"]
    request = requests.Request(
        sent["method"], url + sent["path"], sent["headers"], data=data, params=sent.get("params")
    )
    with requests.Session() as session:
        return session.prepare_request(request)


def as_bytes(sent, url):
    """The same on the wire, written by hand."""
    whole = prepared.read_request(prepare(sent, url))
    lines = [f"{whole.method} {whole.target} HTTP/1.1", *map(": ".join, whole.headers), "", ""]
    body = whole.body
    if whole.header("transfer-encoding") == "chunked":
        body = chunked(*(sent["pieces"] or [body]))
    return "\r\n".join(lines).encode("latin-1") + body


def shown(status, headers, body, fronts=FRONTS):
    kept = sorted((name.lower(), text) for name, text in headers if name.lower() not in fronts)
    return status, kept, body


def on_the_wire(sent, url, port, fronts=FRONTS):
    with RawClient(port) as client:
        client.send(as_bytes(sent, url))
        answer = client.answer(to_head=sent["method"].upper() == "HEAD")
    return shown(answer.status, answer.headers, answer.body, fronts)


def by_requests(session, sent, url, fronts=FRONTS):
    answer = session.send(prepare(sent, url), allow_redirects=False, timeout=10)
    return shown(answer.status_code, answer.raw.headers.items(), answer.content, fronts)
