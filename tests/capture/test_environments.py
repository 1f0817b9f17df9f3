"""capture.environments: hosts, and the URLs that are taken for one."""

import pytest

from capture.environments import Environment, environment, is_loopback
from core.errors import ConfigError


def test_the_two_environments_use_the_hosts_dedicated_to_traders() -> None:
    assert environment("prod") == Environment(
        "prod",
        "https://external-api.kalshi.com/trade-api/v2",
        "wss://external-api-ws.kalshi.com/trade-api/ws/v2",
        is_production=True,
    )
    assert environment("demo") == Environment(
        "demo",
        "https://external-api.demo.kalshi.co/trade-api/v2",
        "wss://external-api-ws.demo.kalshi.co/trade-api/ws/v2",
        is_production=False,
    )


@pytest.mark.parametrize(
    ("url", "name", "ws", "is_production"),
    [
        ("http://127.0.0.1:8123", "http://127.0.0.1:8123", "ws://127.0.0.1:8123", False),
        ("http://127.0.0.1:8123/", "http://127.0.0.1:8123", "ws://127.0.0.1:8123", False),
        ("http://localhost:8123/trade-api/v2", "http://localhost:8123", "ws://localhost:8123", False),
        ("ws://127.9.9.9:1/trade-api/ws/v2", "http://127.9.9.9:1", "ws://127.9.9.9:1", False),
        ("http://[::1]:8123", "http://[::1]:8123", "ws://[::1]:8123", False),
        ("https://127.0.0.1:8123", "https://127.0.0.1:8123", "wss://127.0.0.1:8123", False),
        (
            "https://API.elections.kalshi.com",
            "https://api.elections.kalshi.com",
            "wss://api.elections.kalshi.com",
            True,
        ),
        ("wss://demo-api.kalshi.co", "https://demo-api.kalshi.co", "wss://demo-api.kalshi.co", False),
        ("https://elsewhere.example", "https://elsewhere.example", "wss://elsewhere.example", True),
    ],
)
def test_a_url_is_an_environment_of_its_own(url: str, name: str, ws: str, is_production: bool) -> None:
    assert environment(url) == Environment(
        name, f"{name}/trade-api/v2", f"{ws}/trade-api/ws/v2", is_production=is_production
    )


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("production", "environment 'production' is not known"),
        ("", "environment '' is not known"),
        ("127.0.0.1:8123", "is not known"),
        ("http://192.168.1.1:80", "to this machine only"),
        ("ws://exchange.example", "to this machine only"),
        ("http://127.0.0.1.example", "to this machine only"),
        ("ftp://127.0.0.1", "begins with 'ftp'"),
        ("https://", "cannot be read"),
        ("https://host:99999", "cannot be read"),
        ("https://host:port", "cannot be read"),
        ("https://[::1", "cannot be read"),
        ("https://ho st", "cannot be read"),
        ("https://ho\nst", "cannot be read"),
        ("https://h\u00f6st", "cannot be read"),
        (f"https://{'a' * 400}", "cannot be read"),
        ("https://host/markets", "more than host and port"),
        ("https://host/?a=1", "more than host and port"),
        ("https://host#a", "more than host and port"),
        ("https://me:secret@host", "user name or password"),
    ],
)
def test_what_is_no_environment_is_refused_in_one_sentence_with_the_remedy(name: str, words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        environment(name)
    text = str(refused.value)
    assert words in text
    assert "; use " in text
    assert "\n" not in text
    assert "secret" not in text


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.255.0.9", "::1"])
def test_this_machine_is_known_by_its_addresses(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["localhost.example", "0.0.0.0", "::", "10.0.0.1", "", "127.1"])
def test_other_machines_are_not_taken_for_this_one(host: str) -> None:
    assert not is_loopback(host)
