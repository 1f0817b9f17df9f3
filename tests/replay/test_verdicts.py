"""What parity and causality found, in words."""

import msgspec
import pytest

from core.actions import Action, BookSide, Cancel, Decision, Fetch, Place, Say, Select
from replay.causality import Causality, LookAhead, Trial
from replay.futures import Future
from replay.lint import Finding
from replay.parity import Difference, Parity, Sight
from replay.verdicts import causality_lines, parity_lines

PARITY = Parity(
    tape="monday", path="both", equal=True, first_difference=None, decisions=1_234, unjudged=0, sessions=1, skipped=0,
    decision_digest="ab", notes=(), findings=(), hash_seeds=("random", "4242"),
)  # fmt: skip
PLACE = Place(market="M", client_order_id="td-1-1", side=BookSide.BID, price=4_100, count=250)


def decision(action: Action, **more: str) -> Decision:
    return Decision(7, 40, 0, more.get("strategy", "maker"), action, more.get("refused", ""))


def test_equal_is_three_lines() -> None:
    assert list(parity_lines(PARITY)) == [
        "equal        1,234 decisions in 1 session, live and replayed by both paths",
        "hash seeds   random, 4242",
        "decisions    ab",
    ]


def test_a_difference_is_told_with_its_place_and_the_market() -> None:
    sight = Sight(
        market="M", bid=None, bid_size=0, ask=5_000, ask_size=700, flaw="untrusted", position=-100, orders=()
    )  # fmt: skip
    difference = Difference(
        what="another decision", session=2, seq=40, kind="FRAME", head="{}\n", recorded=decision(PLACE),
        replayed=decision(PLACE, refused="not started"), fields=("refused",), sights=(sight,),
    )  # fmt: skip
    found = msgspec.structs.replace(
        PARITY, equal=False, first_difference=difference, unjudged=3, skipped=1, unrecorded=2,
        notes=("cut",), path="bytes", disagreement="does not decide the same twice",
        findings=tuple(Finding("m.py", n, "reads") for n in range(22)),
    )  # fmt: skip
    text = list(parity_lines(found))
    assert text[:12] == [
        "DIFFERENT    after 1,234 equal decisions in 1 session, replayed by the path bytes",
        "UNSTEADY     the replay does not decide the same twice",
        "first        session 2, record 40 (FRAME): another decision",
        "  live       maker #7: place M bid 2.50 at 0.4100 (td-1-1)",
        "  replay     maker #7: place M bid 2.50 at 0.4100 (td-1-1), refused: not started",
        "  differs    refused",
        "  record     {}",
        "  market     M: nobody bids, ask 0.5000 x 7.00, untrusted; position -1.00",
        "not judged   3 decisions beyond what the live run is known to have stepped",
        "unrecorded   2 decisions while the disk took nothing",
        "skipped      1 sessions",
        "hash seeds   random, 4242",
    ]
    assert text[-1] == "lint         and 2 more"


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (Cancel(market="M", client_order_id="td-1-1", order_id="o"), "cancel M (td-1-1)"),
        (Fetch("/markets"), "fetch /markets"),
        (Say("hm"), "say 'hm'"),
        (Select(("A", "B")), "select A, B"),
    ],
)
def test_a_look_ahead_is_told_with_both_decisions(action: Action, words: str) -> None:
    found = Causality(
        tape="monday", path="columns", causal=False, decisions=9,
        trials=(Trial(40, Future.CUT, 4, True), Trial(40, Future.GARBAGE, 4, False)),
        look_ahead=LookAhead(
            place=40, future=Future.GARBAGE, cause=39, kind="FRAME", decided=decision(action, strategy=""), instead=None
        ),
        impure="reads the clock", unsteady=True, notes=("all",),
    )  # fmt: skip
    assert list(causality_lines(found)) == [
        "NOT CAUSAL   2 false futures at 1 places, 9 decisions",
        "UNSTEADY     it does not decide the same twice, whatever comes after",
        "impure       reads the clock",
        "  changed    up to record 40, by a future that is garbage",
        "first        record 39 (FRAME)",
        f"  decided    the host #7: {words}",
        "  instead    nothing",
        "what ran     all",
    ]
