"""How long the mock takes to find a face among 10,000 that it knows.

    python benchmarks/mock_index.py [--faces N] [--rounds N]

Two indexes: one of test cards, known by name, and one of measured faces, each a random row of 128
numbers in place of an embedding (their scores do not matter here). A call is a whole face search,
form and answer included, without a socket; making an embedding of a new photograph, some 30 ms a
picture with the engine local, comes on top. Medians over the rounds.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time

import numpy as np

from facematch_local import scores_from_embeddings
from facematch_mock_server import make_card
from facematch_mock_server.app import App
from facematch_mock_server.messages import Request
from facematch_mock_server.recognition.index import Identity, IndexedFace
from facematch_mock_server.recognition.recognizer import PictureRecognizer
from facematch_mock_server.vendors import vendor_named
from facematch_mock_server.world import ServerState, World

#: What we ask of ourselves: a person who waits does not notice.
INTERACTIVE_MS = 100.0
BOUNDARY = "mock-index-benchmark"


class Measured(PictureRecognizer):
    """Cards for the form, a random embedding for the index."""

    def __init__(self) -> None:
        super().__init__()
        self.probe = np.zeros(128)

    def identify(self, picture: bytes, *, rotate: bool, digest: str | None = None) -> Identity:
        """Always the same face."""
        return Identity("sha256:probe", embedding=self.probe)

    def embedding_scores(self, probes: object, references: object) -> object:
        """As the backend local has them."""
        return scores_from_embeddings(np.asarray(probes), np.asarray(references))


def post(path: str, picture: bytes) -> Request:
    """A request with one picture that keeps nothing."""
    part = f"--{BOUNDARY}\r\nContent-Disposition: form-data; name="
    head = f'{part}"save_api_request"\r\n\r\nfalse\r\n{part}"user_image"; filename="a.png"\r\n\r\n'
    headers = (
        ("Host", "127.0.0.1"),
        ("x-api-key", "mock-live-key"),
        ("Content-Type", f"multipart/form-data; boundary={BOUNDARY}"),
    )
    body = head.encode() + picture + f"\r\n--{BOUNDARY}--\r\n".encode()
    return Request(method="POST", target=path, headers=headers, body=body)


def world_of(faces: int, recognizer: PictureRecognizer, rows: object = None) -> World:
    """A world that knows so many."""
    switches = {"write_limit": None, "start_credit": 100_000}
    world = World(ServerState(recognizer), vendor_named("didit"), switches=switches)
    for number in range(faces):
        face = IndexedFace(
            id=str(number),
            owner="mock",
            name=f"sha256:{number}" if rows is not None else f"p{number}",
            source="imported",
            status="Approved",
            at=world.clock.now(),
        )
        world.records.faces.add(face, None if rows is None else rows[number])  # type: ignore[index] # an array
    return world


def median_ms(world: World, path: str, rounds: int) -> float:
    """The median of so many calls."""
    app, request = App(world.server), post(path, make_card("p4711"))
    took = []
    for _ in range(rounds):
        start = time.perf_counter()
        answer = app.handle(request)
        took.append(1000 * (time.perf_counter() - start))
        if answer.status != 200:
            raise SystemExit(f"the mock answered {answer.status}: {answer.body!r}")
    return statistics.median(took)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faces", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=50)
    asked = parser.parse_args()
    rows = np.random.default_rng(7).normal(size=(asked.faces, 128))
    rows /= np.linalg.norm(rows, axis=1)[:, None]
    measured = Measured()
    measured.probe = rows[asked.faces // 2]
    worlds = {
        "nobody known": world_of(0, PictureRecognizer()),
        "cards": world_of(asked.faces, PictureRecognizer()),
        "measured": world_of(asked.faces, measured, rows),
    }
    print(f"{asked.faces} faces, {asked.rounds} rounds   [load {os.getloadavg()[0]:.1f}]")
    missed = False
    for name, world in worlds.items():
        for path in ("/v3/face-search/", "/v3/passive-liveness/"):
            took = median_ms(world, path, asked.rounds)
            missed |= took > INTERACTIVE_MS
            print(f"  {name:13} {path:22} {took:8.2f} ms")
    print(f"wanted: at most {INTERACTIVE_MS:g} ms: {'MISSED' if missed else 'met'}")
    raise SystemExit(missed)


if __name__ == "__main__":
    main()
