"""Tests of strategies by import path."""

import importlib
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from core.actions import StrategySpec
from core.errors import ConfigError
from replay.loading import code_of, find, load, specify

SOURCE = '''
from typing import Annotated
import msgspec
from core.strategy import Params, Strategy
{extra}
class Mine(Strategy):
    """One."""
    class Params(Params, frozen=True, kw_only=True):
        size: Annotated[int, msgspec.Meta(ge=1)] = 3
    def __init__(self, params):
        super().__init__(params)
        assert params.size != 13
'''


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path


def written(directory: Path, name: str, extra: str = "") -> Path:
    directory.mkdir(exist_ok=True)
    path = directory / name
    path.write_text(SOURCE.format(extra=extra))
    return path


def test_a_class_in_a_module_of_the_current_directory(here: Path) -> None:
    written(here, "loading_probe.py")
    assert find("loading_probe:Mine").__name__ == "Mine"
    assert find("core.strategy:Strategy").__module__ == "core.strategy"


def test_a_class_in_a_file_whatever_its_name(here: Path) -> None:
    one, two = written(here / "a", "json.py"), written(here / "b", "json.py", "WHERE = 'b'")
    first, second = find(f"{one}:Mine"), find(f"{two}:Mine")
    assert first is not second
    assert find("a/json.py:Mine") is first
    assert (hasattr(sys.modules[first.__module__], "WHERE"), hasattr(sys.modules[second.__module__], "WHERE")) == (
        False, True,
    )  # fmt: skip
    assert sys.modules["json"].__name__ == "json"


def test_a_file_may_import_its_neighbours(here: Path) -> None:
    (here / "loading_neighbour.py").write_text("ANSWER = 42\n")
    path = written(here, "loading_user.py", "from loading_neighbour import ANSWER")
    assert sys.modules[find(f"{path}:Mine").__module__].ANSWER == 42


def test_a_specification_has_the_defaults_and_the_code(here: Path) -> None:
    path = written(here, "loading_spec.py")
    spec = specify("a", f"{path}:Mine", {})
    assert spec == StrategySpec("a", f"{path}:Mine", {"size": 3}, sha256(path.read_bytes()).hexdigest())
    made = load(StrategySpec("a", f"{path}:Mine", {"size": 5}))
    assert made.params.size == 5


def test_the_code_of_a_strategy_is_also_what_lies_beside_it(here: Path) -> None:
    """Else a sweep that is gone on with after a change of a helper would mix what both gave."""
    (here / "code_far.py").write_text("LEAST = 1\n")
    (here / "code_pack").mkdir()
    (here / "code_pack" / "__init__.py").write_text("")
    (here / "code_pack" / "near.py").write_text("from . import deep\nimport json, numpy\n")
    (here / "code_pack" / "deep.py").write_text("import code_far\n")
    (here / "code_not.py").write_text("")
    (here / "code_space").mkdir()
    (here / "code_space" / "part.py").write_text("")  # of no package with a file of its own
    extra = "from code_pack.near import deep\ndef later():\n    import code_late, code_space.part\n"
    kind = find(f"{written(here, 'code_user.py', extra)}:Mine")
    before = code_of(kind)
    assert before == code_of(kind)
    digests = {before}
    for name in (
        "code_far.py",
        "code_pack/near.py",
        "code_pack/deep.py",
        "code_pack/__init__.py",
        "code_late.py",
        "code_space/part.py",
    ):
        path = here / name
        path.write_text((path.read_text() if path.exists() else "") + "\n# changed\n")
        importlib.invalidate_caches()
        digests.add(code_of(kind))
    assert len(digests) == 7
    (here / "code_not.py").write_text("# changed, and imported by nobody\n")
    assert code_of(kind) in digests


def test_to_read_the_code_imports_nothing_that_is_installed(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "wsgiref", raising=False)  # another test may have needed it
    kind = find(f"{written(here, 'code_lazy.py', 'def later():' + chr(10) + '    import wsgiref.validate')}:Mine")
    assert code_of(kind)
    assert "wsgiref" not in sys.modules


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("nonsense", "'nonsense' names no strategy; write package.module:Class or file.py:Class"),
        (":Class", "names no strategy"),
        ("module:", "names no strategy"),
        ("no_such_thing:Mine", "there is no module 'no_such_thing' here or installed"),
        ("gone.py:Mine", "there is no file gone.py"),
        ("good.py:Other", "there is no Other in good.py; it has Mine"),
        ("core.errors:Other", "it has no strategy at all"),
        ("core.errors:ConfigError", "ConfigError is no core.strategy.Strategy"),
        ("core.times:SECOND_NS", "SECOND_NS is no core.strategy.Strategy"),
        ("bad.py:Mine", "importing it raised ZeroDivisionError"),
        ("needy.py:Mine", "there is no module 'no_such_thing'"),
        ("..x:Mine", "importing it raised"),
    ],
)
def test_what_cannot_be_found_is_said(here: Path, path: str, words: str) -> None:
    written(here, "good.py")
    written(here, "bad.py", "1 / 0")
    written(here, "needy.py", "import no_such_thing")
    with pytest.raises(ConfigError) as caught:
        find(path)
    assert words in str(caught.value)


def test_a_file_that_failed_is_tried_again(here: Path) -> None:
    path = written(here, "bad.py", "1 / 0")
    with pytest.raises(ConfigError):
        find(f"{path}:Mine")
    written(here, "bad.py")
    assert find(f"{path}:Mine").__name__ == "Mine"


@pytest.mark.parametrize(
    ("params", "words"), [({"size": 0}, ">= 1"), ({"girth": 1}, "girth"), ({"size": 13}, "raised AssertionError")]
)
def test_what_cannot_be_made_is_said(here: Path, params: dict[str, int], words: str) -> None:
    path = written(here, "loading_made.py")
    with pytest.raises(ConfigError) as caught:
        load(StrategySpec("a", f"{path}:Mine", params))
    assert words in str(caught.value)


def test_code_without_a_source_has_no_digest() -> None:
    assert code_of(type("Made", (), {"__module__": "builtins"})) == ""
    assert code_of(type("Made", (), {"__module__": "not there"})) == ""
