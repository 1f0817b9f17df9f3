"""A page in a real browser, and all that it complained of or asked the network for.

Chromium is the one that the system has (`apt install chromium`); without it such tests are skipped.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import ConsoleMessage, Page, Request, sync_playwright

CHROMIUM: Final = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (apt install chromium)")

QUIET: Final = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
"""It must run as root in a container too, and must not ask the network for anything by itself."""

WIDE: Final = (1440, 900)
NARROW: Final = (390, 844)


@dataclass
class Seen:
    """What a page did. complaints: console errors, warnings, exceptions. requests: URLs, without data: and blob:."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def hosts(self) -> set[str]:
        """Names of all machines that it asked for something."""
        return {urlsplit(url).hostname or "" for url in self.requests if not url.startswith("file:")}


@contextmanager
def browsing(size: tuple[int, int] = WIDE, scheme: Literal["light", "dark"] = "light") -> Iterator[Seen]:
    """An empty page. size: pixels, width and height."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        page = browser.new_page(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
        seen = Seen(page)

        def said(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning"):
                seen.complaints.append(message.text)

        def asked(request: Request) -> None:
            if not request.url.startswith(("data:", "blob:")):
                seen.requests.append(request.url)

        page.on("console", said)
        page.on("pageerror", lambda error: seen.complaints.append(str(error)))
        page.on("request", asked)
        yield seen
        browser.close()
