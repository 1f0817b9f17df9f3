"""The dry run: what a selection holds now, asked of the exchange, and what recording it would take.

Knows where the figures of an estimate come from. Must not know how it is made or shown. Nothing is recorded.
"""

import shutil
import time
from pathlib import Path

from capture.answer_log import AnswerLog
from capture.api import Api
from capture.auth import Credentials
from capture.catalogue import Catalogue
from capture.daemon import REST_TRIES, CaptureOptions
from capture.discovery import Discovery
from capture.dryrun import Estimate, estimate
from capture.rest import RestClient, RestOptions
from capture.startup import is_tape
from capture.tape.errors import TapeError
from capture.tape.reader import Tape
from core.errors import ConfigError


def preview(options: CaptureOptions, credentials: Credentials | None) -> Estimate:
    """What recording with these options would take; the listings are public. Raises as Discovery.survey."""
    rest = RestOptions(share=options.rest_share, ca_file=options.ca_file, max_tries=REST_TRIES)
    client = RestClient(options.environment, credentials, AnswerLog(), rest)
    try:
        found = Discovery(options.selection, Catalogue(Api(client))).survey(time.time_ns())
    finally:
        client.close()
    sealed_bytes, sealed_records = _sealed(options.tape)
    return estimate(
        [one.listed for one in found],
        free_bytes=_free_bytes(options.tape),
        sealed_bytes=sealed_bytes,
        sealed_records=sealed_records,
    )


def _sealed(path: Path) -> tuple[int, int]:
    """Bytes and records of what the tape holds sealed; zeros when there is no tape or it cannot be read."""
    if not is_tape(path):
        return 0, 0
    try:
        entries = Tape.open(path).segments
    except TapeError:
        return 0, 0
    return sum(entry.bytes for entry in entries), sum(entry.rows for entry in entries)


def _free_bytes(path: Path) -> int:
    """Of the disk on which the tape is or would be."""
    place = next(place for place in (path, *path.absolute().parents) if place.exists())
    try:
        return shutil.disk_usage(place).free
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot see how much room is there: {error.strerror}; choose another place"
        ) from error
