"""The page over a tape for tests: its answers without HTTP, and its server in a thread."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from replay.view.answers import Answers
from replay.view.scout import Scout
from replay.view.server import ViewServer
from replay.view.watched import Watched


@contextmanager
def answering(path: Path) -> Iterator[Answers]:
    """Answers about a tape all of which was gone through; nothing works in the background."""
    scout = Scout(Watched.open(path))
    scout.prepare()
    while scout.step():
        pass
    yield Answers(scout)


@contextmanager
def viewing(path: Path, market: str = "") -> Iterator[ViewServer]:
    """A server on any free port."""
    server = ViewServer(path, market=market)
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    ready = threading.Event()
    failures: list[BaseException] = []

    async def main() -> None:
        try:
            await server.start()
            ready.set()
            await stop.wait()
        finally:
            await server.stop()

    def work() -> None:
        try:
            loop.run_until_complete(main())
        except BaseException as error:  # told to the test that waits
            failures.append(error)
            ready.set()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        assert ready.wait(60.0)
        if failures:
            raise failures[0]
        yield server
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
