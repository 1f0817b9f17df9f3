"""What a venue supposes, and what it tells, as JSON and back: a result holds them so."""

import msgspec

from replay.venue.terms import DEFAULT_QUEUE, QUEUES, Latency, VenueTerms
from replay.venue.told import Happening, Rested, Settled


def test_the_default_queue_is_one_of_the_models() -> None:
    assert DEFAULT_QUEUE in QUEUES
    assert VenueTerms().queue == DEFAULT_QUEUE


def test_terms_come_back_from_json_as_they_were() -> None:
    terms = VenueTerms(QUEUES[0], Latency(order_ns=7, is_drawn=True), cash=5, fees="quadratic:1")
    assert msgspec.json.decode(msgspec.json.encode(terms), type=VenueTerms) == terms


def test_what_is_told_can_be_written_down_and_read_back() -> None:
    told: list[Happening] = [Rested(1, "a", 200), Settled(2, "KXA", 10_000, -300, 0)]
    assert msgspec.json.decode(msgspec.json.encode(told), type=list[Happening]) == told
