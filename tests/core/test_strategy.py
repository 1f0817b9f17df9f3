"""Tests of how a strategy's parameters are read."""

from typing import Annotated, Any

import msgspec
import pytest

from core.errors import ConfigError
from core.strategy import TOP, Params, Strategy, params_json, read_params


class MakerParams(Params, frozen=True, kw_only=True):
    edge: Annotated[int, msgspec.Meta(ge=1, le=10)] = 2
    edge_max: Annotated[int, msgspec.Meta(ge=1)] = 5
    markets: tuple[str, ...] = ()
    levels: Annotated[list[int], msgspec.Meta(max_length=3)] = msgspec.field(default_factory=list)
    maybe: tuple[int, ...] | None = None
    plain: list = msgspec.field(default_factory=list)  # type: ignore[type-arg]  # what a user may write
    share: float = 0.5
    is_bold: bool = False
    name: str = ""


class Maker(Strategy):
    Params = MakerParams


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("edge", "3", 3),
        ("markets", "A, B,,C ", ("A", "B", "C")),
        ("markets", "", ()),
        ("levels", "1,2", [1, 2]),
        ("maybe", "1,2", (1, 2)),
        ("plain", "x,y", ["x", "y"]),
        ("share", "0.25", 0.25),
        ("is_bold", "true", True),
        ("is_bold", "0", False),
        ("name", "a,b", "a,b"),
        ("levels", [4], [4]),
        ("edge", 7, 7),
    ],
)
def test_a_value_may_be_a_text_or_of_its_type(name: str, text: Any, value: object) -> None:
    assert getattr(read_params(Maker, {name: text}), name) == value


def test_what_is_not_given_has_its_default() -> None:
    assert read_params(Maker, {}) == Maker.Params()
    assert read_params(Strategy, {}) == Params()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"edge": "11"}, ["Maker", "edge='11'", "<= 10"]),
        ({"edge": "x"}, ["edge='x'", "int"]),
        ({"edge": "3", "edge_max": "0"}, ["edge_max='0'", ">= 1"]),
        ({"levels": "1,2,3,4"}, ["levels='1,2,3,4'", "3"]),
        ({"levels": "1,x"}, ["levels='1,x'", "int"]),
        ({"wedge": "1"}, ["Maker has no parameter 'wedge'", "edge, edge_max, markets"]),
    ],
)
def test_an_error_names_parameter_value_and_limit(given: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        read_params(Maker, given)
    assert [word for word in words if word not in str(caught.value)] == []


def test_a_strategy_without_parameters_says_so() -> None:
    with pytest.raises(ConfigError, match="no parameter 'x'; it has none"):
        read_params(Strategy, {"x": 1})


def test_parameters_as_json_are_read_back() -> None:
    params = read_params(Maker, {"markets": "A,B", "maybe": "3"})
    assert read_params(Maker, msgspec.json.decode(msgspec.json.encode(params_json(params)))) == params


def test_a_strategy_hears_of_every_market_at_every_move_of_the_top_unless_it_says_otherwise() -> None:
    assert Strategy(Params()).markets() is None
    assert Strategy.book_wakes == TOP
