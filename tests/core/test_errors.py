"""Every error that is meant for the operator has the one base that the command line turns into a sentence."""

from core.errors import AuthError, ConfigError, ExchangeError, TapedeckError


def test_each_error_is_a_tapedeck_error() -> None:
    assert all(issubclass(kind, TapedeckError) for kind in (AuthError, ConfigError, ExchangeError))


def test_an_exchange_error_says_what_the_exchange_said() -> None:
    error = ExchangeError("no", status=409, code="order_already_exists")
    assert (str(error), error.status, error.code) == ("no", 409, "order_already_exists")
