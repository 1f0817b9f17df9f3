from capture.trading.wanted import Wanted


def test_the_union_is_told_when_it_changes_in_the_order_of_wanting() -> None:
    told: list[tuple[str, ...]] = []
    wanted = Wanted(told.append)
    wanted.say("a", ["M1", "M2"])
    wanted.say("b", ["M2"])  # nothing new
    wanted.say("b", ["M3", "M1"])
    wanted.say("a", [])
    assert told == [("M1", "M2"), ("M1", "M2", "M3"), ("M3", "M1")]
