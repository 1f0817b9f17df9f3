"""Text that a terminal only shows. Knows nothing else.

What a tape holds and the exchange says comes from elsewhere, and in it a sequence of control characters would be a
command to the terminal.
"""


def printable(text: str) -> str:
    """One line that a terminal only shows: what is not printable stands there as an escape."""
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
