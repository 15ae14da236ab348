"""What the server says while it runs: one JSON object a line on standard error, without secrets."""

from __future__ import annotations

import contextlib
import logging
import re
import sys
import traceback
from typing import TYPE_CHECKING, Any, Final, TextIO, cast

import msgspec
import structlog

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from structlog.typing import FilteringBoundLogger

__all__ = ["adopt", "open_log", "without_secrets"]

_MOST_CHARS: Final = 4096
_SECRETS: Final = re.compile(
    r"(?P<kind>tsn_|(?i:bearer|dpop|basic)\s+|eyJ)[A-Za-z0-9._~+/=-]{8,}"
    r"|(?P<word>(?i:password|passwd|secret|token|api_?key)\"?\s*[=:]\s*\"?)[^\s\"',;&]+"
)
_LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def open_log(level: str, stream: TextIO | None = None) -> FilteringBoundLogger:
    """Make the logger of a server; `level` is `serve.log_level`."""
    made = structlog.wrap_logger(
        _Lines(stream or sys.stderr),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _with_trace,
            _redacted,
            _as_line,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        context_class=dict,
        cache_logger_on_first_use=True,
    )
    return cast("FilteringBoundLogger", made)


class _Lines:
    """Writes whole lines; a reader that left or a disk that is full costs a line of the log, never an answer."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def msg(self, line: str) -> None:
        """Write a line."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(line + "\n")
            self._stream.flush()

    log = debug = info = warning = error = msg


class _Adopted(logging.Handler):
    """Writes what libraries log as our own lines."""

    def __init__(self, log: FilteringBoundLogger) -> None:
        super().__init__(logging.ERROR)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        self._log.error("library", logger=record.name, message=record.getMessage().strip(), exc_info=error)


def adopt(log: FilteringBoundLogger, *names: str) -> None:
    """Let errors of libraries come out as lines of ours; what they say below an error is for their developers."""
    for name in names:
        logger = logging.getLogger(name)
        logger.handlers[:] = [_Adopted(log)]
        logger.setLevel(logging.ERROR)
        logger.propagate = False


def without_secrets(text: str) -> str:
    """Take out what looks like a key, a token or a password, and cut what is too long.

    >>> without_secrets("refused tsn_0123456789abcdef for ada")
    'refused tsn_[secret] for ada'
    """
    kept = _SECRETS.sub(lambda found: f"{found['kind'] or found['word'] or ''}[secret]", text)
    return kept if len(kept) <= _MOST_CHARS else kept[:_MOST_CHARS] + "…"


def _with_trace(_: object, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Write where an error came from; frames without their variables, which may hold anything."""
    error = line.pop("exc_info", None)
    if isinstance(error, BaseException):
        line["error"] = f"{type(error).__name__}: {error}"
        frames = traceback.extract_tb(error.__traceback__)[-20:]
        line["trace"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    return line


def _redacted(_: object, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {key: _plain(value) for key, value in line.items()}


def _plain(value: object) -> object:
    """Take secrets out of every text in a value."""
    if isinstance(value, str):
        return without_secrets(value)
    if isinstance(value, dict):
        return {key: _plain(held) for key, held in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(held) for held in value]
    return value


def _as_line(_: object, __: str, line: MutableMapping[str, Any]) -> str:
    # JSON escapes every control character, so one entry stays one line whatever a client sent.
    return msgspec.json.encode(line, enc_hook=str).decode()
