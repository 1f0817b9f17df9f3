"""Working ahead by one: the next item of an iterator is made in a thread while the present one is used.

Knows one thread that lives as long as one item takes to make. Must not know what the items are.
"""

import threading
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Ahead(Generic[T]):
    """An iterator taken from by one thread, which may have the next item made before it asks for it.

    Nothing is made before its time unless `begin` is called, and never more than one item. Whoever gives up calls
    `close`, so that no thread is left behind.
    """

    def __init__(self, items: Iterator[T]) -> None:
        self._items = items
        self._item: T | None = None
        self._error: BaseException | None = None
        self._thread: threading.Thread | None = None
        self._is_begun = False

    def begin(self) -> None:
        """Have the next item made now, in a thread of its own; once for each item."""
        assert not self._is_begun, "the next item is being made"
        self._is_begun = True
        # no daemon, even of one: the interpreter must not end under a thread that reads a file in C++
        self._thread = threading.Thread(target=self._make, name="tape-ahead", daemon=False)
        self._thread.start()

    def take(self) -> T | None:
        """The next item, None when there is no more; raises what making it raised."""
        if not self._is_begun:
            return next(self._items, None)
        self.close()
        self._is_begun = False
        item, error = self._item, self._error
        self._item = self._error = None
        if error is not None:
            raise error
        return item

    def close(self) -> None:
        """Wait for the thread, if there is one."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _make(self) -> None:
        try:
            self._item = next(self._items, None)
        except BaseException as error:
            self._error = error
