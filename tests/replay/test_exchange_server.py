"""The server over a real socket: HTTP, the upgrade, RFC 6455 as its clients see it, many clients, TLS, limits."""

import asyncio
import base64
import datetime
import ipaddress
import json
import os
import socket
import ssl
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
import requests
import websocket
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from exchange_client import WS_PATH, Client, client, get, signed
from exchange_venue import MARKETS, ScriptedVenue, delta

from core.errors import ConfigError
from replay.exchange.framing import BINARY, CLOSE, PING, PONG, TEXT
from replay.exchange.local import LocalExchange
from replay.exchange.options import Limits, RestBudget, ServerOptions
from replay.exchange.port import Audience, RestAnswer

STATUS = "/trade-api/v2/exchange/status"


@pytest.fixture(scope="module")
def exchange() -> Iterator[LocalExchange]:
    """One exchange for all tests that leave it as it is."""
    venue = ScriptedVenue()
    venue.answers["GET", STATUS] = RestAnswer(200, b'{"exchange_active":true}')
    venue.answers["POST", "/trade-api/v2/portfolio/events/orders"] = RestAnswer(201, b"{}")
    with LocalExchange(venue) as running:
        yield running


class Raw:
    """A connection whose bytes we write ourselves."""

    def __init__(self, exchange: LocalExchange, **headers: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", exchange.port), 10)
        key = base64.b64encode(os.urandom(16)).decode()
        sent = {
            "Host": f"127.0.0.1:{exchange.port}",
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": key,
            "Sec-WebSocket-Extensions": "permessage-deflate",
            **signed(exchange, "GET", WS_PATH),
            **headers,
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in sent.items() if value)
        self._socket.sendall(f"GET {WS_PATH} HTTP/1.1\r\n{lines}\r\n".encode())
        self.file = self._socket.makefile("rb")
        self.head = b""
        while not self.head.endswith(b"\r\n\r\n"):
            self.head += self.file.read(1) or b"\r\n\r\n"

    def write(self, opcode: int, payload: bytes, *, final: bool = True, rsv: int = 0) -> None:
        head = bytes([(0x80 if final else 0) | rsv | opcode])
        size = bytes([0x80 | len(payload)]) if len(payload) < 126 else struct.pack(">BQ", 0xFF, len(payload))
        self._socket.sendall(head + size + b"\0\0\0\0" + payload)

    def read(self) -> tuple[int, bytes]:
        head = self.file.read(2)
        if not head:
            return -1, b""
        assert not head[1] & 0x80, "a server masks nothing"
        size = head[1] if head[1] < 126 else int.from_bytes(self.file.read(2 if head[1] == 126 else 8), "big")
        return head[0] & 0xF, self.file.read(size)

    def close(self) -> None:
        self.file.close()
        self._socket.close()


@contextmanager
def raw(exchange: LocalExchange, **headers: str) -> Iterator[Raw]:
    connection = Raw(exchange, **headers)
    try:
        yield connection
    finally:
        connection.close()


LIST = b'{"id":1,"cmd":"list_subscriptions"}'


# ------------------------------------------------------------------ HTTP


def test_rest_is_answered_by_the_venue(exchange: LocalExchange) -> None:
    answer = get(exchange, "/exchange/status", is_signed=False)
    assert (answer.status_code, answer.json()) == (200, {"exchange_active": True})
    assert answer.headers["Content-Type"] == "application/json"
    assert abs(parsedate_to_datetime(answer.headers["Date"]).timestamp() - time.time()) < 5
    assert get(exchange, "/nothing").status_code == 404


def test_the_venue_gets_the_whole_request() -> None:
    venue = ScriptedVenue()
    path = "/trade-api/v2/portfolio/events/orders"
    venue.answers["POST", path] = RestAnswer(201, b'{"order_id":"x"}')
    with LocalExchange(venue) as other:
        headers = signed(other, "POST", path)
        url = other.rest_url + "/portfolio/events/orders?a=1&a=2&b=%20c"
        answer = requests.post(url, data=b'{"ticker":"T"}', headers=headers, timeout=10)
        assert (answer.status_code, answer.json()) == (201, {"order_id": "x"})
    (request,) = venue.requests
    assert (request.method, request.path, request.account) == ("POST", path, "trader")
    assert request.query == (("a", "1"), ("a", "2"), ("b", " c"))
    assert request.body == b'{"ticker":"T"}'
    assert request.headers["kalshi-access-key"] == headers["KALSHI-ACCESS-KEY"]


def test_an_account_is_private(exchange: LocalExchange) -> None:
    refused = get(exchange, "/portfolio/balance", is_signed=False)
    assert refused.status_code == 401
    assert refused.json()["error"]["code"] == "signature_is_missing_from_headers"
    assert get(exchange, "/portfolio/balance?subaccount=0").status_code == 404
    assert get(exchange, "/portfolio/balance", skew_s=-300).json()["error"]["code"] == "header_timestamp_expired"


def test_too_many_requests_are_a_string_without_advice() -> None:
    budget = RestBudget(read_per_s=1, capacity_s=10)
    with LocalExchange(ScriptedVenue(), ServerOptions(rest_budget=budget)) as small:
        answers = [get(small, "/markets", is_signed=False) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [404, 429, 429]
    assert answers[1].content == b'{"error":"too many requests"}'
    assert "Retry-After" not in answers[1].headers


# ------------------------------------------------------------------ the upgrade


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("KALSHI-ACCESS-SIGNATURE", "", "signature_is_missing_from_headers"),
        ("KALSHI-ACCESS-SIGNATURE", "AAAA", "INCORRECT_API_KEY_SIGNATURE"),
        ("KALSHI-ACCESS-KEY", "nobody", "NOT_FOUND"),
        ("KALSHI-ACCESS-TIMESTAMP", "1000", "header_timestamp_expired"),
    ],
)
def test_an_upgrade_without_a_good_signature_is_refused(
    exchange: LocalExchange, name: str, value: str, code: str
) -> None:
    headers = signed(exchange, "GET", WS_PATH) | {name: value}
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        websocket.create_connection(exchange.ws_url, 10, header=headers)
    assert refused.value.status_code == 401
    assert code in (refused.value.resp_body or b"").decode()


def test_an_upgrade_is_answered_without_extensions_and_nothing_follows(exchange: LocalExchange) -> None:
    with raw(exchange) as connection:
        assert connection.head.startswith(b"HTTP/1.1 101 ")
        assert b"sec-websocket-extensions" not in connection.head.lower()
        connection.write(TEXT, LIST)
        opcode, payload = connection.read()
        assert (opcode, json.loads(payload)["id"]) == (TEXT, 1)


@pytest.mark.parametrize("headers", [{"Sec-WebSocket-Version": "12"}, {"Sec-WebSocket-Key": "short"}])
def test_an_upgrade_that_is_none_is_a_bad_request(exchange: LocalExchange, headers: dict[str, str]) -> None:
    with raw(exchange, **headers) as connection:
        assert connection.head.startswith(b"HTTP/1.1 400 ")


# ------------------------------------------------------------------ RFC 6455


def test_a_command_may_come_in_pieces_with_a_ping_between(exchange: LocalExchange) -> None:
    with raw(exchange) as connection:
        connection.write(TEXT, LIST[:10], final=False)
        connection.write(PING, b"in between")
        connection.write(0, LIST[10:20], final=False)
        connection.write(0, LIST[20:])
        assert connection.read() == (PONG, b"in between")
        assert json.loads(connection.read()[1])["id"] == 1


def test_a_binary_command_is_read_too(exchange: LocalExchange) -> None:
    with raw(exchange) as connection:
        connection.write(BINARY, b"\xff\xff")
        assert json.loads(connection.read()[1])["msg"]["code"] == 1


@pytest.mark.parametrize("payload", [b"", (1_000).to_bytes(2, "big"), (4_321).to_bytes(2, "big") + b"bye"])
def test_a_close_frame_is_answered_in_kind_and_tcp_ends(exchange: LocalExchange, payload: bytes) -> None:
    with raw(exchange) as connection:
        connection.write(CLOSE, payload)
        assert connection.read() == (CLOSE, payload[:2])
        assert connection.read() == (-1, b"")


@pytest.mark.parametrize(
    ("opcode", "payload", "options", "code"),
    [
        (3, b"", {}, 1_002),
        (TEXT, b"x", {"rsv": 0x40}, 1_002),
        (PING, b"x", {"final": False}, 1_002),
        (0, b"x", {}, 1_002),
        (TEXT, b"\xff", {}, 1_007),
        (CLOSE, b"x", {}, 1_002),
        (CLOSE, (999).to_bytes(2, "big"), {}, 1_002),
    ],
)
def test_what_breaks_the_protocol_ends_the_connection_with_its_code(
    exchange: LocalExchange, opcode: int, payload: bytes, options: dict[str, int], code: int
) -> None:
    with raw(exchange) as connection:
        connection.write(opcode, payload, **options)  # type: ignore[arg-type]  # final is a flag, rsv a number
        assert connection.read() == (CLOSE, code.to_bytes(2, "big"))
        assert connection.read() == (-1, b"")


def test_a_command_that_is_too_long_ends_the_connection(exchange: LocalExchange) -> None:
    with raw(exchange) as connection:
        try:
            connection.write(TEXT, b" " * ((16 << 20) + 1))
            assert connection.read() == (CLOSE, (1_009).to_bytes(2, "big"))
        except ConnectionError:
            pass


def test_a_long_frame_has_the_long_length() -> None:
    markets = tuple(f"KXLONG-{number:04d}" for number in range(4_000))
    with LocalExchange(ScriptedVenue(markets)) as exchange, client(exchange) as reader:
        reader.command("subscribe", channels=["trade"], market_tickers=list(markets[:1]))
        reader.next()
        for count in (10, 4_000):
            reader.command("subscribe", channels=["trade"], market_tickers=list(markets[:count]))
            assert reader.next()["msg"]["market_tickers"] == list(markets[:count])


def test_pings_come_in_their_time_with_their_payload() -> None:
    with LocalExchange(ScriptedVenue(), ServerOptions(ping_every_s=0.1)) as exchange, raw(exchange) as connection:
        started = time.monotonic()
        assert [connection.read() for _ in range(3)] == [(PING, b"heartbeat")] * 3
        assert 0.25 < time.monotonic() - started < 3


# ------------------------------------------------------------------ clients


def test_many_clients_have_numbers_of_their_own(exchange: LocalExchange) -> None:
    readers = [Client(exchange) for _ in range(5)]
    for place, reader in enumerate(readers):
        reader.command("subscribe", channels=["orderbook_delta"], market_tickers=list(MARKETS[: 1 + place % 3]))
        reader.take(2 + place % 3)
    exchange.control("publish", count=1)
    assert [reader.next()["seq"] for reader in readers] == [2, 3, 4, 2, 3]
    for reader in readers:
        reader.close()


def test_accounts_are_told_apart() -> None:
    venue = ScriptedVenue()
    with LocalExchange(venue, ServerOptions(accounts=("maker", "taker"), key_type="ed25519")) as exchange:
        for account in ("maker", "taker"):
            get(exchange, "/portfolio/balance", account=account)
            with client(exchange, account=account) as reader:
                assert reader.is_quiet()
        assert [request.account for request in venue.requests] == ["maker", "taker"]
        assert [session.account for session in exchange.sent] == ["maker", "taker"]


def test_who_does_not_read_gets_error_25_and_may_subscribe_again() -> None:
    options = ServerOptions(limits=Limits(queue_frames=1_000))
    with LocalExchange(ScriptedVenue(), options) as exchange, client(exchange) as reader:
        reader.command("subscribe", channels=["orderbook_delta"], market_ticker=MARKETS[0])
        reader.take(2)
        exchange.control("publish", count=60_000)
        frames = reader.until("error")
        assert [frame["seq"] for frame in frames] == list(range(2, len(frames) + 2))
        assert frames[-1]["msg"]["code"] == 25
        reader.command("subscribe", channels=["orderbook_delta"], market_ticker=MARKETS[0])
        assert reader.next()["msg"]["sid"] == 2


def test_a_venue_that_waits_loses_nothing_however_slowly_it_is_read() -> None:
    count = 40_000

    async def script(_venue: ScriptedVenue, audience: Audience) -> None:
        subscribed = asyncio.Event()
        audience.on_subscribed(subscribed.set)
        await subscribed.wait()
        publication = delta(MARKETS[0], 1)
        for _ in range(count):
            audience.publish(publication)
            await audience.drained()

    with LocalExchange(ScriptedVenue(script=script)) as exchange, client(exchange) as reader:
        reader.command("subscribe", channels=["orderbook_delta"], market_ticker=MARKETS[0])
        assert not exchange.wait_played(0.3)
        assert [frame["seq"] for frame in reader.take(count + 2)[1:]] == list(range(1, count + 2))
        assert exchange.wait_played(10)


@pytest.mark.parametrize(("code", "payload"), [(1_001, (1_001).to_bytes(2, "big") + b"maintenance")])
def test_everybody_can_be_disconnected_by_a_close_frame(code: int, payload: bytes) -> None:
    with LocalExchange(ScriptedVenue()) as exchange, raw(exchange) as one, raw(exchange) as two:
        exchange.control("disconnect", code=code, reason="maintenance")
        assert [one.read(), two.read()] == [(CLOSE, payload)] * 2


def test_everybody_can_be_disconnected_without_one() -> None:
    with LocalExchange(ScriptedVenue()) as exchange:
        with raw(exchange) as connection:
            exchange.control("disconnect", code=1_006)
            assert connection.read() == (-1, b"")
        with raw(exchange) as connection:
            exchange.control("disconnect", code=0)
            with pytest.raises(ConnectionResetError):
                connection.read()


# ------------------------------------------------------------------ where it listens


def test_it_listens_on_ipv6_when_asked() -> None:
    with LocalExchange(ScriptedVenue(), ServerOptions(host="::1")) as exchange, client(exchange) as reader:
        assert exchange.ws_url.startswith("ws://[::1]:")
        assert reader.is_quiet()


def test_it_speaks_tls_with_the_certificate_it_is_given(tmp_path: Path) -> None:
    certificate, key = _certificate(tmp_path)
    options = ServerOptions(tls_certificate=certificate, tls_key=key)
    with LocalExchange(ScriptedVenue(), options) as exchange:
        assert exchange.rest_url.startswith("https://")
        trust = ssl.create_default_context(cafile=str(certificate))
        with client(exchange, sslopt={"context": trust}) as reader:
            reader.command("subscribe", channels=["trade"])
            reader.next()
            exchange.control("publish", kind="trade", count=200)
            assert [frame["seq"] for frame in reader.take(200)] == list(range(1, 201))
            exchange.control("inject", fault="hangup@now")
            with pytest.raises((websocket.WebSocketConnectionClosedException, ssl.SSLError, OSError)):
                reader.raw()
        with pytest.raises(ssl.SSLCertVerificationError):
            Client(exchange)


def test_a_certificate_that_is_none_is_named(tmp_path: Path) -> None:
    bad = tmp_path / "bad.pem"
    bad.write_text("nothing")
    options = ServerOptions(tls_certificate=bad, tls_key=bad)
    with pytest.raises(ConfigError, match=r"bad\.pem .*no certificate"), LocalExchange(ScriptedVenue(), options):
        pass


def _certificate(directory: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    alternative = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(alternative, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = directory / "cert.pem", directory / "key.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    form, nothing = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    paths[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, form, nothing))
    return paths
