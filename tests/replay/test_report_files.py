"""replay.report.pictures: the page's charts as PNG files."""

import struct
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from backtest_sample import empty, quote, walk

from core.errors import ConfigError
from replay import open_tape
from replay.report.building import look, page_of
from replay.report.parts import Page
from replay.report.pictures import DPI, HEIGHT, WIDTH, require_matplotlib, write_pictures
from strategies.regime import Detector

pytest.importorskip("matplotlib")


@pytest.fixture(name="page", scope="module")
def _page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    place = tmp_path_factory.mktemp("pictures")
    walk(30).tape(place / "tape")
    result = quote(open_tape(place / "tape"), ["KXTEST-A", "KXTEST-B"])
    return page_of(result, look(result, [place / "tape"], Detector))


def pixels(path: Path) -> Any:
    from matplotlib.image import imread

    found = imread(path)
    assert found.shape[:2] == (round(HEIGHT * DPI), round(WIDTH * DPI))
    return found


def test_money_fills_and_each_market_have_a_picture_with_something_in_it(page: Page, tmp_path: Path) -> None:
    files = write_pictures(page, tmp_path / "new" / "png")
    assert [path.name for path in files] == [
        "money.png", "fills.png", "market-01-KXTEST-A.png", "market-02-KXTEST-B.png",
    ]  # fmt: skip
    for path in files:
        head = path.read_bytes()[:24]
        assert head[:8] == b"\x89PNG\r\n\x1a\n"
        assert struct.unpack(">2I", head[16:]) == (round(WIDTH * DPI), round(HEIGHT * DPI))
        inked = (pixels(path)[:, :, :3].min(axis=2) < 0.8).mean()
        assert inked > 0.01, path.name
    assert sorted(files[0].parent.iterdir()) == sorted(files)


def test_bids_are_blue_and_offers_orange_where_the_book_was(page: Page, tmp_path: Path) -> None:
    found = pixels(write_pictures(page, tmp_path)[2])
    red, blue = found[:, :, 0], found[:, :, 2]
    columns = np.flatnonzero((blue - red > 0.2).any(axis=0) & (red - blue > 0.2).any(axis=0))
    assert len(columns) > 200
    lower = sum(
        np.flatnonzero(blue[:, x] - red[:, x] > 0.2).mean() > np.flatnonzero(red[:, x] - blue[:, x] > 0.2).mean()
        for x in columns
    )
    assert lower > 0.9 * len(columns)


def test_the_same_page_gives_the_same_bytes(page: Page, tmp_path: Path) -> None:
    first, second = (write_pictures(page, tmp_path / name) for name in ("first", "second"))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_a_name_is_no_path_and_no_formula(page: Page, tmp_path: Path) -> None:
    charts = [msgspec.structs.replace(page.charts[0], market="../../$\\frac{1}$/a\nb")]
    [*_, path] = write_pictures(msgspec.structs.replace(page, charts=charts), tmp_path / "png")
    assert path.parent == tmp_path / "png"
    assert path.name == "market-01-.._.._frac_1_a_b.png"


def test_of_nothing_there_is_no_picture(tmp_path: Path) -> None:
    assert write_pictures(page_of(empty(), []), tmp_path) == []


def test_without_matplotlib_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("replay.report.pictures.find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"pip install 'tapedeck\[png\]'"):
        require_matplotlib()
