"""Walks through sets, found in source."""

import ast

import pytest

from replay.unordered import unordered


@pytest.mark.parametrize(
    "source",
    [
        "for name in {1, 2}: pass",
        "for name in set(names): pass",
        "names = frozenset(x)\nfound = [name for name in names]",
        "def f(names: set[str]): return list(names)",
        "def f(names: frozenset[str] | None): return ','.join(names)",
        "class A:\n    seen: set[int]\n    def f(self): return tuple(self.seen)",
        "class A:\n    def __init__(self): self.seen = set()\n    def f(self):\n        for x in self.seen: pass",
        "def f(a, b):\n    for x in a.keys() & b.keys(): pass",
        "def f(a, b):\n    for x in set(a) - set(b): pass",
        "def g() -> set[int]: ...\ndef f(): return [x for x in g()]",
        "def f(x):\n    s = set(x)\n    return s.pop()",
        "def f(x):\n    s = set(x)\n    return [*s]",
        "def f(x):\n    s = set(x)\n    return f'{s}'",
        "def f(x):\n    s = set(x)\n    return max(list(s), key=len)",
        "def f(x): return {k: 1 for k in set(x)}",
    ],
)
def test_a_walk_through_a_set_is_found(source: str) -> None:
    assert list(unordered(ast.parse(source)))


@pytest.mark.parametrize(
    "source",
    [
        "for name in sorted({1, 2}): pass",
        "def f(names: set[str]): return len(names), sum(1 for n in names), max(names), 'a' in names",
        "def f(names: set[str]): return sorted(n + 'x' for n in names)",
        "def f(names: set[str]): return {n + 'x' for n in names}",
        "def f(table: dict[str, int]):\n    for key in table: pass\n    for key in table.keys(): pass",
        "def f(names: set[str]): pass\ndef g(names: list[str]): return list(names)",
        "def f(stack: list[int]): return stack.pop()",
    ],
)
def test_ordered_use_is_none(source: str) -> None:
    assert list(unordered(ast.parse(source))) == []
