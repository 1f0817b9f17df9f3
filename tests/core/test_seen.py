from core.seen import Seen


def test_a_key_is_new_once() -> None:
    seen = Seen(3)
    assert seen.add("a")
    assert not seen.add("a")
    assert "a" in seen
    assert "b" not in seen


def test_it_remembers_no_more_than_it_may_and_forgets_the_oldest() -> None:
    seen = Seen(3)
    for key in ("a", "b", "c", "d"):
        assert seen.add(key)
    assert seen.keys() == ("b", "c", "d")
    assert seen.add("a")
    assert seen.keys() == ("c", "d", "a")


def test_meeting_a_key_again_does_not_make_it_younger() -> None:
    seen = Seen(2, ("a", "b"))
    assert not seen.add("a")
    assert seen.add("c")
    assert seen.keys() == ("b", "c")


def test_it_goes_on_from_the_keys_it_gave() -> None:
    seen = Seen(2, ("a", "b"))
    again = Seen(2, seen.keys())
    assert seen.add("c") and again.add("c")
    assert seen.keys() == again.keys()
