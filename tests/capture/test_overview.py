"""The status, put together from real parts of which none runs."""

import email.utils
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from catalogue_server import CatalogueServer, market

from capture import overview as overview_module
from capture.answer_log import AnswerLog
from capture.api import Api
from capture.auth import Credentials
from capture.catalogue import Catalogue
from capture.deck import Deck
from capture.discovery import Discovery
from capture.environments import environment
from capture.inbox import Inbox
from capture.keeper import Hands, Keeper
from capture.maintenance import Poller
from capture.overview import Overview, Parts
from capture.reporting import Reporter
from capture.rest import RestClient, RestOptions
from capture.roster import Roster
from capture.selection import Selection
from capture.space import DiskWatch
from capture.startup import new_session
from capture.status import State
from capture.tape.writer import TapeWriter
from core.records import RestCall
from replay.exchange.keyring import Keyring


@pytest.fixture
def exchange() -> Iterator[CatalogueServer]:
    """An exchange of nothing."""
    with CatalogueServer() as server:
        yield server


@pytest.fixture
def parts(exchange: CatalogueServer, tmp_path: Path) -> Iterator[Parts]:
    """A deck that was never started and all that belongs to it."""
    place = environment(exchange.url)
    key = Keyring().throwaway("trader", tmp_path)
    credentials = Credentials.load(
        {"KALSHI_ACCESS_KEY": key.access_key, "KALSHI_PRIVATE_KEY_PATH": str(key.private_key_path)}
    )
    selection = Selection(everything=True)
    answers, inbox = AnswerLog(), Inbox()
    client = RestClient(place, None, answers, RestOptions(max_tries=1))
    with TapeWriter.create(tmp_path / "tape", place.name, new_session(place.name, {})) as writer:
        answers.attach(writer)
        deck = Deck(writer, place, credentials)
        hands = Hands(Catalogue(Api(client)), answers, inbox, writer, deck.want)
        yield Parts(
            writer=writer,
            client=client,
            deck=deck,
            keeper=Keeper(Roster(selection), Discovery(selection, hands.catalogue), hands),
            poller=Poller(Api(client), writer),
            answers=answers,
            inbox=inbox,
            disk=DiskWatch(tmp_path / "tape", 0),
            reporter=Reporter(1),
        )
        deck.stop()


def overview(parts: Parts) -> Overview:
    """Of these parts."""
    return Overview(parts, "tape", "demo", "s-1")


def test_a_start_is_no_trouble_for_a_minute_and_then_it_is(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    status = overview(parts).status()
    assert (status.state, status.healthy) == (State.STARTING, False)
    assert "connection slot 0 is idle" in status.why
    assert (status.tape, status.environment, status.session) == ("tape", "demo", "s-1")
    assert status.links[0].up is False
    monkeypatch.setattr(overview_module, "START_NS", 0)
    assert overview(parts).status().state is State.UNHEALTHY


def test_a_pause_of_the_exchange_is_its_own_state(exchange: CatalogueServer, parts: Parts) -> None:
    exchange.active = (False, False)
    parts.poller.round()
    status = overview(parts).status()
    assert (status.state, status.healthy, status.rest.paused) == (State.MAINTENANCE, False, True)


def test_a_tape_that_takes_nothing_is_trouble_even_in_a_pause(exchange: CatalogueServer, parts: Parts) -> None:
    exchange.active = (False, False)
    parts.poller.round()
    parts.writer.close()
    status = overview(parts).status()
    assert status.state is State.UNHEALTHY
    assert status.disk.problem == status.why != ""


def test_markets_and_requests_are_those_of_the_parts(parts: Parts) -> None:
    parts.keeper.begin((), ("KXA-1-T1",))
    parts.answers(RestCall("GET", "/markets", 401))
    status = overview(parts).status()
    assert (status.markets, status.followed) == (0, 1)
    assert (status.rest.calls, status.rest.failed) == (1, 1)
    assert status.key_refused
    assert status.head_seq == parts.writer.head_seq


def test_the_end_is_said_with_its_reason_and_exit_code(parts: Parts) -> None:
    status = overview(parts).status(State.STOPPED, "SIGTERM", exit_code=2)
    assert (status.state, status.why, status.exit_code, status.healthy) == (State.STOPPED, "SIGTERM", 2, False)
    assert msgspec.json.encode(status)


def test_a_clock_that_is_off_is_remarked_upon(parts: Parts) -> None:
    made = overview(parts)
    now_ns = time.time_ns()
    stamp = email.utils.formatdate(now_ns / 1e9 + 60, usegmt=True)
    parts.client.clock.observe(stamp, 0, now_ns, now_ns)
    status = made.status()
    assert status.rest.clock_offset_s is not None
    assert 58 < status.rest.clock_offset_s < 62
    assert "behind the exchange's: set it right" in status.why


def test_what_of_a_listing_could_not_be_read_is_counted_for_all_to_see(exchange: CatalogueServer, parts: Parts) -> None:
    exchange.markets["KXA-1-T1"] = market("KXA-1-T1", event_ticker=7)
    exchange.markets["KXA-1-T2"] = market("KXA-1-T2")
    assert len(list(Catalogue(Api(parts.client)).list_markets())) == 1
    assert overview(parts).status().rest.unread == 1
