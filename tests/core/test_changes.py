from core.changes import Change, ChangeKind, Rejected


def test_reasons_are_words_that_scripts_may_rely_on() -> None:
    assert sorted(Rejected) == [
        "dead_subscription",
        "duplicate_fill",
        "duplicate_trade",
        "excessive_size",
        "finished_order",
        "negative_size",
        "no_snapshot",
        "not_owner",
        "old_order",
        "out_of_order",
        "too_many_orders",
        "too_many_subaccounts",
    ]


def test_a_change_names_its_market_and_what_of_it_changed() -> None:
    change = Change("M", ChangeKind.TRADE)
    assert (change.market, change.what) == ("M", "trade")
