"""The upkeep of markets and facts: a tape, a small exchange of listings, and a clock that the test moves."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from catalogue_server import CatalogueServer, market
from sample_tapes import Script

from capture.answer_log import AnswerLog
from capture.api import Api
from capture.catalogue import Catalogue
from capture.discovery import Discovery
from capture.environments import environment
from capture.facts import CHANGE_NS, DAY_NS, DOUBT_S, HOUR_NS
from capture.following import unfinished
from capture.inbox import Inbox
from capture.keeper import FIRST_NS, Hands, Keeper
from capture.rest import RestClient, RestOptions
from capture.roster import LINGER_NS, Roster
from capture.selection import Selection
from capture.tape.reader import Tape
from capture.tape.writer import TapeWriter
from core.engine import Engine
from core.records import Kind, Session, StoredGap, decode_rest, encode_payload
from core.times import SECOND_NS

NOW_NS = 1_786_410_000 * SECOND_NS


class Stage:
    """A keeper at work on a real tape. now_ns: its clock. wanted: what it wants subscribed."""

    def __init__(self, exchange: CatalogueServer, path: Path, selection: Selection) -> None:
        self.exchange = exchange
        self.path = path
        self.now_ns = NOW_NS
        self.wanted: tuple[str, ...] = ()
        self.inbox = Inbox()
        self.writer = TapeWriter.create(path, "test", Session("s", "test"))
        answers = AnswerLog()
        answers.attach(self.writer)
        client = RestClient(environment(exchange.url), None, answers, RestOptions(max_tries=1))
        catalogue = Catalogue(Api(client))
        self.discovery = Discovery(selection, catalogue)
        hands = Hands(catalogue, answers, self.inbox, self.writer, self.want, lambda: self.now_ns)
        self.keeper = Keeper(Roster(selection), self.discovery, hands)

    def want(self, markets: tuple[str, ...]) -> None:
        """What the deck would be told."""
        self.wanted = markets

    def begin(self, *unfinished_before: str) -> None:
        """As the daemon begins."""
        self.keeper.begin(self.discovery.survey(self.now_ns), unfinished_before)

    def rounds(self) -> None:
        """Rounds until nothing is left to do at this instant."""
        for _ in range(200):
            if not self.keeper.round():
                return
        raise AssertionError("never done")

    def after(self, span_ns: int) -> None:
        """So much later."""
        self.now_ns += span_ns
        self.rounds()

    def hears(self, event: str, ticker: str, **more: object) -> None:
        """A lifecycle message comes in."""
        msg = {"event_type": event, "market_ticker": ticker, **more}
        record = Script().session().opened().frame({"type": "market_lifecycle_v2", "sid": 1, "seq": 1, "msg": msg})
        engine = Engine()
        for one in record.records:
            self.inbox(one, engine.step(one))

    def asked(self) -> list[str]:
        """What was asked since the last call, without queries."""
        found = [path.partition("?")[0] for path in self.exchange.asked]
        self.exchange.asked.clear()
        return found


@pytest.fixture
def exchange() -> Iterator[CatalogueServer]:
    """A series with two markets of one event."""
    with CatalogueServer(market("KXA-1-T1"), market("KXA-1-T2")) as server:
        yield server


@pytest.fixture
def stage(exchange: CatalogueServer, tmp_path: Path) -> Iterator[Stage]:
    """The series KXA is recorded."""
    made = Stage(exchange, tmp_path / "tape", Selection(series=("KXA",)))
    yield made
    made.writer.close()


def on_tape(stage: Stage) -> list[str]:
    """The paths of the successful answers on the tape."""
    calls = [decode_rest(r.payload) for r in Tape.open(stage.path).records() if r.kind == Kind.REST]
    return [call.path for call in calls if call.status == 200]


def test_at_first_sight_the_tape_holds_market_event_and_series(stage: Stage) -> None:
    stage.begin()
    assert list(stage.wanted) == ["KXA-1-T1", "KXA-1-T2"]
    stage.rounds()
    paths = on_tape(stage)
    assert any("/markets?" in path and "series_ticker=KXA" in path for path in paths)
    assert sum("/events/KXA-1" in path for path in paths) == 1
    assert sum(path.endswith("/series/KXA") for path in paths) >= 1
    fees = [path for path in paths if "/series/fee_changes?" in path]
    assert len(fees) == 1
    assert "series_ticker=KXA" in fees[0]
    assert "show_historical=true" in fees[0]
    stage.asked()
    stage.after(SECOND_NS)
    assert stage.asked() == [], "all is there: nothing is asked twice"


def test_everything_is_looked_at_again_the_next_day(stage: Stage) -> None:
    stage.begin()
    stage.rounds()
    stage.asked()
    stage.now_ns += DAY_NS
    for _ in range(90):
        stage.after(60 * SECOND_NS)
    asked = stage.asked()
    assert "/events/KXA-1" in asked
    assert {"/series/KXA", "/series/fee_changes"} <= set(asked)


def test_a_new_market_is_wanted_when_it_opens_and_its_facts_are_asked_for(stage: Stage) -> None:
    stage.begin()
    stage.rounds()
    stage.asked()
    open_s = NOW_NS // SECOND_NS + 60
    stage.hears("created", "KXA-2-T1", open_ts=open_s, additional_metadata={"event_ticker": "KXA-2"})
    stage.rounds()
    assert list(stage.wanted) == ["KXA-1-T1", "KXA-1-T2"], "it opens later"
    stage.exchange.markets["KXA-2-T1"] = market("KXA-2-T1", "initialized")
    stage.after(FIRST_NS)
    assert {"/markets/KXA-2-T1", "/events/KXA-2"} <= set(stage.asked())
    stage.after(60 * SECOND_NS)
    assert list(stage.wanted) == ["KXA-1-T1", "KXA-1-T2", "KXA-2-T1"]


def test_a_market_that_rest_does_not_know_yet_is_asked_for_again(stage: Stage) -> None:
    stage.begin()
    stage.rounds()
    stage.hears("created", "KXA-2-T1", additional_metadata={"event_ticker": "KXA-2"})
    stage.rounds()
    stage.asked()
    stage.after(FIRST_NS)
    assert "/markets/KXA-2-T1" in stage.asked()
    stage.exchange.markets["KXA-2-T1"] = market("KXA-2-T1")
    stage.after(60 * SECOND_NS)
    assert any(path.endswith("/markets/KXA-2-T1") for path in on_tape(stage))


def test_a_market_is_followed_until_its_final_state_is_on_the_tape(stage: Stage) -> None:
    stage.begin()
    stage.rounds()
    stage.hears("determined", "KXA-1-T1", result="yes")
    stage.hears("settled", "KXA-1-T1", settled_ts=NOW_NS // SECOND_NS)
    stage.rounds()
    stage.asked()
    stage.exchange.markets["KXA-1-T1"] = market("KXA-1-T1", "finalized", result="yes")
    stage.after(CHANGE_NS)
    assert "/markets/KXA-1-T1" in stage.asked()
    assert unfinished(Tape.open(stage.path), stage.writer.head_seq + 1) == ("KXA-1-T2",)
    assert list(stage.wanted) == ["KXA-1-T1", "KXA-1-T2"]
    stage.after(LINGER_NS)
    assert list(stage.wanted) == ["KXA-1-T2"], "unsubscribed some time after settlement"


def test_a_settlement_that_fell_in_a_downtime_is_found_by_rest(stage: Stage) -> None:
    stage.exchange.markets["KXA-0-T1"] = market("KXA-0-T1", "finalized", result="no")
    stage.begin("KXA-0-T1")
    stage.rounds()
    assert any(path.endswith("/markets/KXA-0-T1") for path in on_tape(stage))
    assert unfinished(Tape.open(stage.path), stage.writer.head_seq + 1) == ("KXA-1-T1", "KXA-1-T2")


def test_many_markets_are_asked_for_at_once_and_those_left_out_by_themselves(stage: Stage) -> None:
    names = [f"KXA-0-T{n:02}" for n in range(20)]
    for name in names:
        stage.exchange.markets[name] = market(name, "finalized")
    stage.exchange.unlisted = {names[7]}
    stage.begin(*names)
    stage.asked()
    stage.rounds()
    asked = stage.asked()
    assert [path for path in asked if path.startswith("/markets")].count(f"/markets/{names[7]}") == 1
    assert len([path for path in asked if path == "/markets"]) == 1
    assert unfinished(Tape.open(stage.path), stage.writer.head_seq + 1) == ("KXA-1-T1", "KXA-1-T2")


def test_many_events_are_asked_for_at_once_and_those_left_out_by_themselves(stage: Stage) -> None:
    for n in range(20):
        stage.exchange.markets[f"KXA-{n}-T1"] = market(f"KXA-{n}-T1", event_ticker=f"KXA-{n}")
    stage.exchange.unlisted = {"KXA-7"}
    stage.begin()
    stage.asked()
    stage.rounds()
    assert sorted(path for path in stage.asked() if path.startswith("/events")) == ["/events", "/events/KXA-7"]
    stage.after(SECOND_NS)
    assert stage.asked() == [], "all is there: nothing is asked twice"


def test_what_the_exchange_has_forgotten_is_given_up_after_a_while(stage: Stage) -> None:
    stage.begin("KXA-0-T1")
    for _ in range(40):
        stage.after(HOUR_NS // 4)
    assert unfinished(Tape.open(stage.path), stage.writer.head_seq + 1) == ("KXA-1-T1", "KXA-1-T2")


def test_a_fee_change_makes_the_event_be_looked_at(stage: Stage) -> None:
    stage.begin()
    stage.rounds()
    msg = {"event_ticker": "KXA-1", "fee_type_override": None, "fee_multiplier_override": 0.5}
    script = Script().session().opened().frame({"type": "event_fee_update", "sid": 1, "seq": 1, "msg": msg})
    engine = Engine()
    for record in script.records:
        stage.inbox(record, engine.step(record))
    stage.rounds()
    stage.asked()
    stage.after(CHANGE_NS)
    assert "/events/KXA-1" in stage.asked()


def test_after_a_gap_everything_is_looked_at_again_once_an_hour_at_most(stage: Stage) -> None:
    stage.begin()
    stage.rounds()
    script, engine = Script().session().opened(), Engine()
    for times in range(2):
        for kind in (Kind.GAP_OPEN, Kind.GAP_CLOSE):
            script.put(kind, encode_payload(StoredGap("disk_full")), 0)
            stage.inbox(script.records[-1], engine.step(script.records[-1]))
        stage.rounds()
        stage.asked()
        for _ in range(12):
            stage.after(DOUBT_S * SECOND_NS // 10)
        assert ("/events/KXA-1" in stage.asked()) == (times == 0)


def test_an_outage_of_rest_is_said_and_everything_is_asked_for_once_it_is_over(stage: Stage) -> None:
    stage.begin()
    stage.exchange.refuse = 503
    stage.keeper.round()
    assert "503" in stage.keeper.problem
    stage.exchange.refuse = 0
    stage.after(HOUR_NS // 60)
    stage.rounds()
    assert stage.keeper.problem == ""
    assert any("/events/KXA-1" in path for path in on_tape(stage))


def test_an_answer_that_did_not_reach_the_tape_does_not_count(stage: Stage) -> None:
    stage.begin()
    stage.writer.close()
    stage.rounds()
    stage.asked()
    stage.after(60 * SECOND_NS)
    assert "/events/KXA-1" in stage.asked(), "asked again, for the tape does not hold it"


def test_it_works_by_itself_and_stops_when_told(stage: Stage) -> None:
    stage.begin()
    stage.keeper.start()
    stage.keeper.stop()
    stage.keeper.join(20)
    stage.keeper.join(0)
    assert stage.keeper.markets == stage.keeper.followed == 2
