"""What a run asks the exchange by REST, as capture.account_api words it, and what comes of it on the tape."""

import json
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

import msgspec

from capture.account_api import ORDERS, NewOrder
from core.actions import Amend, Cancel, Done, Outcome, Place
from core.answers import parse_error
from core.records import RestCall, encode_payload
from replay.exchange.port import RestAnswer, RestRequest

ROOT: Final = "/trade-api/v2"
UNANSWERED: Final = RestAnswer(0, b"")


class Asked(NamedTuple):
    """A request: path below the prefix."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


def rest_record(request: Asked, answer: RestAnswer, why: str, took_ns: int = 0) -> bytes:
    """The payload of REST; status 0 = there was no answer."""
    query = "?" + urlencode(request.query) if request.query else ""
    call = RestCall(
        method=request.method,
        path=ROOT + request.path + query,
        status=answer.status,
        body=request.body.decode(),
        answer=answer.body.decode(),
        error="" if answer.status else "no answer",
        took_ns=took_ns,
        why=why,
    )
    return encode_payload(call)


def rest_request(asked: Asked, account: str) -> RestRequest:
    """A request of that account."""
    return RestRequest(method=asked.method, path=ROOT + asked.path, query=asked.query, body=asked.body, account=account)


def order_request(action: Place | Amend | Cancel) -> Asked:
    """The request that a decision about an order makes, as capture.account_api words it."""
    if isinstance(action, Cancel):
        return Asked("DELETE", f"{ORDERS}/{action.order_id}", (("market_ticker", action.market),))
    order = NewOrder(
        market=action.market, side=action.side.value, price=action.price, count=action.count,
        client_order_id=action.client_order_id, expiration_s=action.expires_s,
    )  # fmt: skip
    if isinstance(action, Amend):
        wanted = ("ticker", "side", "price", "count", "client_order_id", "expiration_time")
        body = {name: value for name, value in order.body().items() if name in wanted}
        return Asked("POST", f"{ORDERS}/{action.order_id}/amend", body=json.dumps(body).encode())
    tif = "immediate_or_cancel" if action.ioc else order.time_in_force
    order = msgspec.structs.replace(order, post_only=action.post_only and not action.ioc, time_in_force=tif)
    return Asked("POST", ORDERS, body=json.dumps(order.body()).encode())


def outcome_of(number: int, method: str, answer: RestAnswer) -> Outcome:
    """What an answer says of the decision that made the request."""
    if 200 <= answer.status < 300:
        if method == "GET":
            return Outcome(number, Done.DONE, answer.status)
        said = json.loads(answer.body)
        filled, remaining = (_count(said, name) for name in ("fill_count", "remaining_count"))
        return Outcome(number, Done.DONE, answer.status, order_id=said["order_id"], filled=filled, remaining=remaining)
    done = Done.REFUSED if 400 <= answer.status < 500 else Done.FAILED
    error = parse_error(answer.body)
    return Outcome(number, done, answer.status, error.code, error.message)


def _count(said: dict[str, Any], name: str) -> int:
    """Contracts as 1/100, -1 = not said."""
    return int(said[name].replace(".", "")) if name in said else -1
