"""What can go wrong for the operator, one class for each thing a caller does differently.

Knows only words. What an exchange sends is never among them: that is a value with a reason (STYLE: the network is
never exceptional). Every message is one sentence that names the value, the limit it broke and the remedy.
"""


class TapedeckError(Exception):
    """Something only the operator can put right; the text is for them. Exit code 2."""


class ConfigError(TapedeckError):
    """What was asked for cannot be done as asked: an option, a file, a port, a selection."""


class AuthError(TapedeckError):
    """The key is missing, unreadable or unsafe, or the exchange refused it. The text never holds a secret."""


class ExchangeError(TapedeckError):
    """The exchange could not be reached, or refused a request for good.

    status: the HTTP status, 0 = there was no answer. code: the exchange's own word for it, "" = none.
    """

    def __init__(self, text: str, *, status: int = 0, code: str = "") -> None:
        super().__init__(text)
        self.status = status
        self.code = code
