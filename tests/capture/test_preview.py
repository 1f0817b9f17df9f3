"""The dry run against an exchange of listings."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from catalogue_server import CatalogueServer, market
from sample_tapes import Script

from capture import dryrun
from capture.daemon import CaptureOptions
from capture.environments import environment
from capture.preview import preview
from capture.selection import Selection
from core.errors import ConfigError


@pytest.fixture
def exchange() -> Iterator[CatalogueServer]:
    """A quiet market and a busy one."""
    with CatalogueServer(market("KXA-1-T1"), market("KXA-1-T2", volume_24h_fp="86400.00")) as server:
        yield server


def options(exchange: CatalogueServer, tape: Path, selection: Selection | None = None) -> CaptureOptions:
    """Everything there is, onto that tape."""
    return CaptureOptions(environment(exchange.url), tape, selection or Selection(everything=True))


def test_the_busiest_market_comes_first_and_nothing_is_made(exchange: CatalogueServer, tmp_path: Path) -> None:
    found = preview(options(exchange, tmp_path / "deep" / "tape"), None)
    assert found.markets == ("KXA-1-T2", "KXA-1-T1")
    assert found.volume_24h == 86_410
    assert found.free_bytes > 0
    assert not found.measured
    assert list(tmp_path.iterdir()) == []


def test_a_tape_that_is_there_tells_how_many_bytes_a_record_takes(
    exchange: CatalogueServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = Script().session().opened().subscribed()
    for _ in range(50):
        script.delta("KXA-1-T1", "yes", "0.4000", "1.00")
    tape = script.tape(tmp_path / "tape")
    monkeypatch.setattr(dryrun, "SURE_RECORDS", 50)
    found = preview(options(exchange, tape.path), None)
    assert found.measured
    assert found.bytes_per_frame == round(tape.segments[0].bytes / len(script.records), 2)


def test_what_cannot_be_recorded_cannot_be_previewed(exchange: CatalogueServer, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no market KXZ-1"):
        preview(options(exchange, tmp_path / "tape", Selection(markets=("KXZ-1",))), None)
