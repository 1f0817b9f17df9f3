"""Finds where Python source walks through a set, whose order differs from run to run. Knows `ast` only.

Sets are found by local knowledge: literals, `set(...)`, annotations, assignments, operators between them, and functions
of the same module that say they return one. That is enough to catch the slip; it is no proof.
"""

import ast
from collections.abc import Iterator
from typing import Final, TypeAlias

Fault: TypeAlias = tuple[int, str]  # line number, what is wrong

_SET_TYPES: Final = frozenset(("set", "frozenset", "Set", "AbstractSet", "MutableSet"))
_SET_OPERATORS: Final = (ast.BitOr, ast.BitAnd, ast.Sub, ast.BitXor)
_SET_METHODS: Final = frozenset(("union", "intersection", "difference", "symmetric_difference"))
_ORDER_DOES_NOT_MATTER: Final = frozenset(
    ("sorted", "len", "min", "max", "sum", "any", "all", "set", "frozenset", "isinstance", "bool")
)
_READS_IN_ORDER: Final = frozenset(
    ("list", "tuple", "iter", "enumerate", "zip", "map", "filter", "reversed", "str", "repr")
)
_READING_METHODS: Final = frozenset(("join", "fromkeys", "extend"))


def unordered(tree: ast.Module) -> Iterator[Fault]:
    """Every walk through a set in a module, as (line, what is walked)."""
    attributes, functions = _declared_sets(tree)
    for scope, names in _scopes(tree, _Sets(frozenset(), attributes, functions)):
        yield from _Reader(names).findings(scope)


class _Sets:
    """The names that hold sets, seen from one scope."""

    def __init__(self, names: frozenset[str], attributes: frozenset[str], functions: frozenset[str]) -> None:
        self.names = names
        self.attributes = attributes
        self.functions = functions

    def holds(self, node: ast.expr) -> bool:
        """True when the expression is a set as far as this scope can tell."""
        match node:
            case ast.Set() | ast.SetComp():
                return True
            case ast.Name(id=name):
                return name in self.names
            case ast.Attribute(attr=name):
                return name in self.attributes
            case ast.BinOp(left=left, op=op, right=right) if isinstance(op, _SET_OPERATORS):
                return any(self.holds(side) or _is_keys_view(side) for side in (left, right))
            case ast.IfExp(body=body, orelse=orelse):
                return self.holds(body) or self.holds(orelse)
            case ast.Call(func=ast.Name(id=name)):
                return name in {"set", "frozenset"} or name in self.functions
            case ast.Call(func=ast.Attribute(value=value, attr=name)):
                return name in self.functions or ((name in _SET_METHODS or name == "copy") and self.holds(value))
            case _:
                return False

    def within(self, scope: ast.AST) -> "_Sets":
        """The same with what this scope's own statements add (and hide)."""
        names = set(self.names)
        for node in _own_nodes(scope):
            match node:
                case ast.arg(arg=name, annotation=annotation):
                    _note(names, name, _is_set_type(annotation))
                case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation):
                    _note(names, name, _is_set_type(annotation))
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    known = _Sets(frozenset(names), self.attributes, self.functions)
                    _note(names, name, known.holds(value) or name in names - self.names)
                case _:
                    pass
        return _Sets(frozenset(names), self.attributes, self.functions)


class _Reader:
    """Finds where a scope walks through a set."""

    def __init__(self, sets: _Sets) -> None:
        self.sets = sets

    def findings(self, scope: ast.AST) -> Iterator[Fault]:
        """(line, what) of every ordered use of a set among the scope's own nodes."""
        harmless: set[ast.AST] = set()
        for node in _own_nodes(scope):
            if isinstance(node, ast.Call) and _called(node) in _ORDER_DOES_NOT_MATTER:
                harmless.update(node.args)
            for iterated in self._iterated(node, harmless):
                if self.sets.holds(iterated):
                    yield iterated.lineno, f"walks through a set in no order: {ast.unparse(iterated)}"

    def _iterated(self, node: ast.AST, harmless: set[ast.AST]) -> list[ast.expr]:
        match node:
            case ast.For(iter=iterated):
                return [iterated]
            case ast.ListComp(generators=parts) | ast.DictComp(generators=parts):
                return [part.iter for part in parts]
            case ast.GeneratorExp(generators=parts) if node not in harmless:
                return [part.iter for part in parts]
            case ast.Starred(value=value) | ast.FormattedValue(value=value):
                return [value]
            case ast.Call(func=ast.Name(id=name), args=args) if name in _READS_IN_ORDER:
                return list(args)
            case ast.Call(func=ast.Attribute(value=value, attr="pop"), args=[]):
                return [value]
            case ast.Call(func=ast.Attribute(attr=name), args=args) if name in _READING_METHODS:
                return list(args)
            case _:
                return []


def _called(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else ""


def _note(names: set[str], name: str, is_set: bool) -> None:
    if is_set:
        names.add(name)
    else:
        names.discard(name)


def _is_keys_view(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in {"keys", "items"}


def _is_set_type(annotation: ast.expr | None) -> bool:
    match annotation:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name in _SET_TYPES
        case ast.Subscript(value=value, slice=inner):
            wrapper = value.id if isinstance(value, ast.Name) else ""
            return _is_set_type(inner) if wrapper in {"Final", "Optional", "ClassVar"} else _is_set_type(value)
        case ast.BinOp(left=left, right=right):
            return _is_set_type(left) or _is_set_type(right)
        case _:
            return False


def _declared_sets(tree: ast.Module) -> tuple[frozenset[str], frozenset[str]]:
    """Names of attributes annotated or assigned as sets, and of functions that say they return one."""
    attributes, functions = set(), set()
    nothing = _Sets(frozenset(), frozenset(), frozenset())
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name, returns=returns) if _is_set_type(returns):
                functions.add(name)
            case ast.AnnAssign(target=ast.Attribute(attr=name), annotation=annotation) if _is_set_type(annotation):
                attributes.add(name)
            case ast.Assign(targets=[ast.Attribute(attr=name)], value=value) if nothing.holds(value):
                attributes.add(name)
            case ast.ClassDef(body=body):
                for part in body:
                    match part:
                        case ast.AnnAssign(target=ast.Name(id=name), annotation=note) if _is_set_type(note):
                            attributes.add(name)
                        case _:
                            pass
            case _:
                pass
    return frozenset(attributes), frozenset(functions)


_SCOPES: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


def _scopes(scope: ast.AST, outer: _Sets) -> Iterator[tuple[ast.AST, _Sets]]:
    sets = outer.within(scope)
    yield scope, sets
    for node in _own_nodes(scope):
        if isinstance(node, _SCOPES):
            yield from _scopes(node, sets)


def _own_nodes(scope: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a scope in source order, those of inner scopes left out (the inner scope itself is given)."""
    for child in ast.iter_child_nodes(scope):
        yield child
        if not isinstance(child, _SCOPES):
            yield from _own_nodes(child)
