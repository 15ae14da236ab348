"""The command line's end of the socket, against servers that do not behave."""

from __future__ import annotations

import contextlib
import socket
import threading

import pytest

from tocsin.cli.door import Door
from tocsin.errors import NotFound, Refused, StoreError, TocsinError, UsageError


def answer(status, body, media="application/problem+json"):
    head = f"HTTP/1.1 {status} Words\r\nContent-Type: {media}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


@pytest.fixture
def behind(tmp_path):
    """Answer every connection with the same bytes, then close it; what was asked is kept."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "admin.sock"))
    listener.listen()
    asked = []

    def serve(reply):
        def run():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection, contextlib.suppress(OSError):
                        said = b""
                        while piece := connection.recv(65_536):
                            said += piece
                            if said.endswith(b"}"):
                                asked.append(said)
                                connection.sendall(reply)
                                break

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return Door.of(tmp_path), asked

    yield serve
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def test_where_nobody_listens_there_is_no_door(tmp_path):
    assert Door.of(tmp_path) is None
    assert Door.of(tmp_path / "nothing") is None
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "admin.sock"))
        assert Door.of(tmp_path) is None


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (404, "not-found", NotFound), (409, "refused", Refused), (503, "store", StoreError), (400, "usage", UsageError),
        (400, "invalid-request", UsageError), (503, "too-busy", StoreError), (500, "unexpected", TocsinError),
    ],
)  # fmt: skip
def test_what_the_server_refuses_ends_as_it_would_here(behind, status, code, kind):
    body = b'{"detail": "words", "code": "%s", "hint": "help", "status": %d}' % (code.encode(), status)
    door, _ = behind(answer(status, body))
    with pytest.raises(kind, match="words") as raised:
        door.lift("R-1", by="")
    assert raised.value.hint == "help"
    assert type(raised.value) is kind


@pytest.mark.parametrize(
    "reply",
    [
        b"", b"nonsense\r\n\r\n", answer(502, b"<html>"), answer(502, b"[]"), answer(200, b"<html>", "text/html"),
        answer(200, b'{"id": 1}', "application/json"), answer(200, b"{}")[:-1],
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n",
    ],
    ids=lambda reply: reply[:20].decode(),
)  # fmt: skip
def test_an_answer_that_is_none_is_said_in_words(behind, reply):
    door, _ = behind(reply)
    with pytest.raises(StoreError, match="the server that has this home") as raised:
        door.lift("R-1", by="")
    assert raised.value.hint


@pytest.mark.parametrize(
    ("name", "path"), [("../keys", b"..%2Fkeys"), ("a b\r\nX: y", b"a%20b%0D%0AX%3A%20y"), ("", b"%20")]
)
def test_a_name_cannot_leave_its_place_in_the_path(behind, name, path):
    door, asked = behind(answer(404, b"{}"))
    with pytest.raises(NotFound):
        door.lift(name, by="")
    assert asked[-1].startswith(b"POST /admin/v1/restrictions/" + path + b"/lift HTTP/1.1\r\n")
