"""Nothing private is left of a tape that was scrubbed, in any form; what belonged together still does."""

import base64
import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import msgspec
import pytest
from fixture_tapes import fixture_tape
from hunting import private_values, remains
from lived import LiveRun, market_day
from sample_tapes import Script, make_tape

from capture.tape.reader import Tape
from core.actions import Amend, Decision, Fetch, Place, RunTerms, StrategySpec, decode_decision, terms_of
from core.actions import BookSide as Side
from core.records import Kind, Record, RestCall, Session, Source, decode_rest, decode_session, encode_payload
from replay.cut import Selection, cut
from replay.fixture.pseudonyms import Pseudonyms
from replay.fixture.scrub import Scrubber, collect
from replay.loading import specify
from replay.parity import judge

ORDER: Final = "5d1f3c34-8b7e-4f0b-9a52-2f2d0b6f9c01"
TRADE: Final = "c0ffee00-1111-4222-8333-444455556666"
USER: Final = "acct-77120934"
CLIENT: Final = "mybot/alpha.42"
KEY: Final = b"a key for tests, always the same"


def record(kind: Kind, payload: Any, seq: int = 0) -> Record:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return Record(seq, 1, 1, 1, kind, body)


def frame(kind: str, **message: Any) -> Record:
    return record(Kind.FRAME, {"type": kind, "sid": 4, "msg": message})


FILL: Final = frame(
    "fill", trade_id=TRADE, order_id=ORDER, client_order_id=CLIENT, user_id=USER, market_ticker="KXTEST-A", subaccount=7
)


def scrubbed(*records: Record, key: bytes = KEY) -> list[Record]:
    return list(map(Scrubber(Pseudonyms(key), collect(records)).record, records))


def fields(found: Record) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(found.payload)["msg"]
    return message


def test_ids_of_a_frame_get_others_of_the_same_shape_and_the_rest_stays() -> None:
    (after,) = scrubbed(FILL)
    found = fields(after)
    assert len(after.payload) == len(FILL.payload)
    assert uuid.UUID(found["order_id"]).version == 4 and found["order_id"] != ORDER
    assert found["market_ticker"] == "KXTEST-A"
    assert [len(part) for part in found["client_order_id"].split("/")] == [5, 8]
    assert found["user_id"][4] == "-" and found["user_id"][5:].isdigit()
    assert found["subaccount"] in {1, 2, 3, 4, 5, 6, 8, 9}


def test_the_same_value_is_the_same_in_a_trade_a_path_an_answer_a_decision_and_a_text() -> None:
    answer = json.dumps({"orders": [{"order_id": ORDER, "user_id": USER, "client_order_id": CLIENT}]})
    call = RestCall("DELETE", f"/portfolio/events/orders/{ORDER}?user_id={USER}&subaccount=7", 200, "", answer)
    amend = Amend(market="KXTEST-A", client_order_id=CLIENT, order_id=ORDER, side=Side.BID, price=1, count=1)
    fill, trade, rest, decision, words = scrubbed(
        FILL,
        frame("trade", trade_id=TRADE, market_ticker="KXTEST-A"),
        record(Kind.REST, encode_payload(call)),
        record(Kind.DECISION, encode_payload(Decision(1, 0, 0, "s", amend))),
        record(Kind.CONTROL, {"action": "note", "detail": f"order {ORDER} of {USER} is gone"}),
    )
    ids, told = fields(fill), decode_rest(rest.payload)
    assert fields(trade)["trade_id"] == ids["trade_id"]
    path = f"/portfolio/events/orders/{ids['order_id']}?user_id={ids['user_id']}&subaccount={ids['subaccount']}"
    assert told.path == path
    assert json.loads(told.answer)["orders"] == [
        {name: ids[name] for name in ("order_id", "user_id", "client_order_id")}
    ]
    action = decode_decision(decision.payload).action
    assert isinstance(action, Amend)
    assert (action.order_id, action.client_order_id) == (ids["order_id"], ids["client_order_id"])
    assert json.loads(words.payload)["detail"] == f"order {ids['order_id']} of {ids['user_id']} is gone"


FORMS: Final[dict[str, Callable[[str], bytes]]] = {
    "plain": lambda value: f"so {value} it is".encode(),
    "percent": lambda value: f"/x?next={quote(value, safe='')}".encode(),
    "percent everywhere": lambda value: b"/x?n=" + "".join(f"%{byte:02x}" for byte in value.encode()).encode(),
    "base64": lambda value: base64.b64encode(f"one:{value}:more".encode()),
    "base64 in a path": lambda value: b"/a/" + base64.urlsafe_b64encode(f"{value}".encode()) + b"/b",
    "json in json": lambda value: json.dumps({"a": json.dumps({"b": json.dumps({"c": value})})}).encode(),
    "json escapes": lambda value: b'{"a":"' + "".join(f"\\u{ord(c):04x}" for c in value).encode() + b'"}',
    "hexadecimal": lambda value: value.encode().hex().encode(),
    "base64 of json of base64": lambda value: base64.b64encode(
        json.dumps({"cursor": base64.b64encode(value.encode()).decode()}).encode()
    ),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("value", [ORDER, USER, CLIENT.split("/")[1]])
def test_a_known_value_is_found_in_every_form(tmp_path: Path, form: str, value: str) -> None:
    others = [record(kind, FORMS[form](value)) for kind in (Kind.FRAME, Kind.REFUSED, Kind.FRAME_BINARY)]
    after = scrubbed(FILL, *others)
    for number, found in enumerate(after):
        (tmp_path / str(number)).write_bytes(found.payload)
    assert remains({value}, tmp_path) == []
    for number, before in enumerate((FILL, *others)):
        (tmp_path / str(number)).write_bytes(before.payload)
    assert len({line.partition(":")[0] for line in remains({value}, tmp_path)}) == 4  # the search would have seen it


def test_a_uuid_is_found_without_dashes_in_capitals_and_in_binary() -> None:
    raw = uuid.UUID(ORDER).bytes
    texts = [ORDER.replace("-", "").encode(), ORDER.upper().encode(), b"\xff" + raw + b"\x00", base64.b64encode(raw)]
    after = scrubbed(FILL, *(record(Kind.FRAME_BINARY, text) for text in texts))
    other = uuid.UUID(fields(after[0])["order_id"])
    assert [found.payload for found in after[1:]] == [
        other.hex.encode(), str(other).upper().encode(), b"\xff" + other.bytes + b"\x00", base64.b64encode(other.bytes)
    ]  # fmt: skip


@pytest.mark.parametrize("length", range(20, 120, 7))
def test_a_frame_cut_short_shows_no_part_of_an_id(length: int) -> None:
    whole = b'{"type":"fill","sid":4,"msg":{"order_id":"%s","client_order_id":"%s"}}' % (
        ORDER.encode(),
        CLIENT.encode(),
    )
    (after,) = scrubbed(record(Kind.FRAME, whole[:length]))
    part = whole[43:length][:36]
    assert len(part) < 4 or part not in after.payload
    assert len(after.payload) == len(whole[:length])


def test_a_spoilt_byte_in_an_id_hides_it_no_less() -> None:
    spoilt = ORDER.replace("8b7e", "8b?e")
    (after,) = scrubbed(frame("fill", order_id=spoilt))
    assert spoilt[:13] not in after.payload.decode() and spoilt[-12:] not in after.payload.decode()


SECRETS: Final = (
    ("header", '{"error":"KALSHI-ACCESS-KEY: %s"}', "k-0123456789abcdef"),
    ("signature", '{"KALSHI-ACCESS-SIGNATURE": "%s"}', base64.b64encode(b"signed" * 40).decode()),
    ("bearer", '{"error":"Authorization: Bearer %s refused"}', "abcDEF123456.xyz"),
    ("token", '{"token":"%s"}', "tok_live_8812abc"),
    ("pem", '{"detail":"-----BEGIN PRIVATE KEY-----\\n%s\\n-----END"}', "MIIEvQIBADANBgkqhkiG9w0BAQEF"),
    ("jwt", '{"x":"eyJhbGciOiJIUzI1NiJ9.%s"}', "eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P"),
    ("url", '{"url":"wss://%s@example.test/ws"}', "someone:swordfish9"),
    ("email", '{"email":"%s"}', "jane.doe@example.test"),
    ("account number", '{"account_number": %s}', "880012345"),
    ("key in a query", '{"path":"/x?api_key=%s&limit=5"}', "AKIA55512345"),
    ("cursor", '{"params":[["cursor","%s"],["limit","100"]]}', "CgwIabc123def"),
)


@pytest.mark.parametrize(("text", "secret"), [pytest.param(text, secret, id=name) for name, text, secret in SECRETS])
def test_a_secret_is_told_by_its_name_or_shape(text: str, secret: str) -> None:
    before = (text % secret).encode()
    (after,) = scrubbed(record(Kind.REST, before))
    json.loads(after.payload)
    assert secret.encode() not in after.payload and len(after.payload) == len(before)
    assert sum(one == two for one, two in zip(before, after.payload, strict=True)) >= len(text) - 2


def test_what_is_public_stays() -> None:
    payloads = [
        b'{"type":"orderbook_delta","sid":5,"seq":4,"msg":{"market_ticker":"KXSANDBTC-26NOV270349N1-T55","clock":868}}',
        b'{"msg":{"price_dollars":"0.2680","delta_fp":"6.00","ts":"2026-11-27T03:35:27.885Z","ts_ms":1795750527885}}\n',
        b'{"id":1,"cmd":"subscribe","params":{"channels":["fill","market_lifecycle_v2"]}}',
        b'{"method":"GET","path":"/trade-api/v2/markets/KXTEST-26NOV23-T50/orderbook?depth=10","status":200}',
        b'{"due_ns":1795750528754006179}', b"\x03\xe9", b"heartbeat", b"",
    ]  # fmt: skip
    before = [record(Kind.FRAME, payload) for payload in payloads]
    assert scrubbed(*before) == before


def test_a_market_that_somebody_used_as_an_id_keeps_its_name() -> None:
    before = frame("trade", market_ticker="KXTEST-26NOV23-T50")
    _, after = scrubbed(frame("fill", client_order_id="KXTEST-26NOV23-T50", market_ticker="KXTEST-26NOV23-T50"), before)
    assert after == before


def test_a_short_id_changes_where_it_is_named_and_nowhere_else() -> None:
    fill, delta = scrubbed(frame("fill", order_id="17"), frame("orderbook_delta", delta_fp="17.00", clock=17))
    assert fields(fill)["order_id"] != "17"
    assert fields(delta) == {"delta_fp": "17.00", "clock": 17}


def test_a_session_tells_nothing_of_the_machine_and_still_names_its_strategies() -> None:
    spec = StrategySpec("s", "/somewhere/jane/bots/quoter.py:Quoter", {"size": 3, "api_key": "AKIA55512345"})
    source = Source("janes-recording.jsonl", 5, "ab" * 32, "x")
    before = Session(ORDER, "prod", sources=(source,), boot_id=TRADE, run=RunTerms((spec,)))
    (after,) = scrubbed(record(Kind.SESSION, encode_payload(before)))
    found = decode_session(after.payload)
    terms = terms_of(found)
    assert terms is not None
    assert terms.strategies[0].path == "quoter.py:Quoter" and terms.strategies[0].params["size"] == 3
    words = ("jane", "AKIA", ORDER, TRADE)
    assert [word for word in words if word in after.payload.decode()] == []
    assert found.environment == "prod"


def test_an_order_id_of_ours_is_still_made_of_its_session() -> None:
    session = record(Kind.SESSION, encode_payload(Session(ORDER, "prod")))
    place = Place(market="M", client_order_id=f"td-{ORDER.replace('-', '')}-3", side=Side.BID, price=1, count=1)
    decided, one = scrubbed(record(Kind.DECISION, encode_payload(Decision(1, 0, 0, "s", place))), session)
    action = decode_decision(decided.payload).action
    assert isinstance(action, Place)
    assert action.client_order_id == f"td-{decode_session(one.payload).uuid.replace('-', '')}-3"


def test_a_fetch_keeps_its_parameters_together() -> None:
    fetch = Fetch("/portfolio/orders", (("cursor", "CgwIabc123def"), ("limit", "100")))
    answer = RestCall("GET", "/portfolio/orders?cursor=CgwIabc123def&limit=100", 200)
    one, two = scrubbed(
        record(Kind.DECISION, encode_payload(Decision(1, 0, 0, "s", fetch))), record(Kind.REST, encode_payload(answer))
    )
    action = decode_decision(one.payload).action
    assert isinstance(action, Fetch)
    assert decode_rest(two.payload).path == f"/portfolio/orders?cursor={action.params[0][1]}&limit=100"


@pytest.fixture
def run_tape(tmp_path: Path) -> Tape:
    return fixture_tape("run-1", tmp_path)


def test_a_recorded_run_keeps_none_of_its_ids(run_tape: Tape, tmp_path: Path) -> None:
    private = private_values(run_tape)
    assert len(private) > 150
    change = Scrubber(Pseudonyms(KEY), collect(run_tape.records())).record
    cut(run_tape, tmp_path / "cut" / "whole", Selection(), change=change)
    assert remains(private, tmp_path / "cut") == []


def test_a_run_decides_as_it_did_once_it_is_scrubbed(tmp_path: Path) -> None:
    script = market_day()
    session = msgspec.structs.replace(decode_session(script.records[0].payload), uuid=ORDER)
    script.records[0] = msgspec.structs.replace(script.records[0], payload=encode_payload(session))
    tape = make_tape(tmp_path / "tape", LiveRun(specify("pupil", "pupils:Quoter", {})).live(script).records)
    change = Scrubber(Pseudonyms(KEY), collect(tape.records())).record
    cut(tape, tmp_path / "cut" / "whole", Selection(), change=change)
    found = judge(Tape.open(tmp_path / "cut" / "whole"), "bytes")
    assert (found.equal, found.decisions) == (True, judge(tape, "bytes").decisions)
    assert remains({ORDER}, tmp_path / "cut") == []


def test_a_cut_with_the_state_before_it_keeps_none_either(run_tape: Tape, tmp_path: Path) -> None:
    start_ns = [record.at_ns for record in run_tape.records()][1_200]
    change = Scrubber(Pseudonyms(KEY), collect(run_tape.records())).record
    report = cut(run_tape, tmp_path / "cut" / "late", Selection(start_ns), change=change)
    assert report.carried
    assert remains(private_values(run_tape), tmp_path / "cut") == []


def test_the_search_of_these_tests_finds_what_is_left(run_tape: Tape, tmp_path: Path) -> None:
    private = private_values(run_tape)
    cut(run_tape, tmp_path / "cut" / "whole", Selection())
    found = remains(private, tmp_path / "cut")
    assert {line.rpartition(": ")[2].partition(" as ")[0] for line in found} == private


def test_subaccounts_in_a_carried_state_change_as_in_frames(tmp_path: Path) -> None:
    script = Script().session().opened().subscribed()
    script.frame({"type": "market_position", "sid": 3, "msg": {
        "market_ticker": "KXTEST-A", "user_id": USER, "position_fp": "5.00", "subaccount": 7,
    }})  # fmt: skip
    script.wait(10**9).ping().stop()
    tape = make_tape(tmp_path / "tape", script.records)
    scrubber = Scrubber(Pseudonyms(KEY), collect(tape.records()))
    cut(tape, tmp_path / "cut", Selection(script.records[-2].at_ns), change=scrubber.record)
    base = decode_session(next(Tape.open(tmp_path / "cut").records()).payload).base
    (market,) = base["store"]["markets"]
    assert list(market["positions"]) == [str(Pseudonyms(KEY).subaccount(7))]
