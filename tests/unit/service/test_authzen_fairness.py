"""Long searches and long lists of questions leave the event loop to others, and come back to the same answer."""

from __future__ import annotations

import asyncio
from time import perf_counter
from types import SimpleNamespace

import msgspec
import pytest

from tocsin.question import Caller, Decision, Reliance
from tocsin.service.authzen import AuthZen
from tocsin.service.authzen_search import Search
from tocsin.service.request import Request

NAMES = [f"user-{number}" for number in range(60)]
WORK_S = 0.001
PEP = Caller(id="p", role="pep")
HEADERS = [(b"content-type", b"application/json")]


class Slow:
    """Decides in a millisecond of work, for every third subject."""

    def preview(self, question):
        until = perf_counter() + WORK_S
        while perf_counter() < until:
            pass
        allowed = int(question.subject.id.removeprefix("user-")) % 3 == 0
        return Decision(answer="allow" if allowed else "deny", policy_version="1", reliance=Reliance(seconds=1))

    ask = preview


@pytest.fixture
def house(make_house):
    current = SimpleNamespace(version="1", entities=lambda _type: NAMES, actions=lambda: ["read"])
    return make_house(verifier=Slow(), policies=SimpleNamespace(current=current))


def beside_others(handler, body):
    """Answer a request while others count how often they get their turn."""

    async def run():
        turns = 0

        async def others():
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        waiting = asyncio.create_task(others())
        request = Request(
            "POST", "/", headers=HEADERS, body=msgspec.json.encode(body), caller=Caller(id="p", role="pep")
        )
        answer = await handler(request)
        waiting.cancel()
        return turns, msgspec.json.decode(answer.body)

    return asyncio.run(run())


def test_a_search_gives_others_their_turn(house):
    body = {"subject": {"type": "user"}, "action": {"name": "read"}, "resource": {"type": "record", "id": "1"}}
    turns, answer = beside_others(Search(house).subjects, body)
    assert [found["id"] for found in answer["results"]] == NAMES[::3]
    assert turns >= len(NAMES) // 5


def test_a_list_of_questions_gives_others_their_turn(house):
    items = [{"subject": {"type": "user", "id": name}} for name in NAMES]
    body = {"action": {"name": "read"}, "resource": {"type": "record", "id": "1"}, "evaluations": items}
    turns, answer = beside_others(AuthZen(house).evaluations, body)
    assert [item["decision"] for item in answer["evaluations"]] == [number % 3 == 0 for number in range(len(NAMES))]
    assert turns >= len(NAMES) // 5


def test_few_searches_run_at_once(house):
    body = {"subject": {"type": "user"}, "action": {"name": "read"}, "resource": {"type": "record", "id": "1"}}
    search, under_way, most = Search(house), 0, 0
    allowed = search._allowed  # noqa: SLF001 - counts how many are inside at once

    async def counted(*arguments):
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        try:
            return await allowed(*arguments)
        finally:
            under_way -= 1

    search._allowed = counted  # noqa: SLF001 - see above

    async def run():
        request = Request(
            "POST", "/", headers=HEADERS, body=msgspec.json.encode(body), caller=Caller(id="p", role="pep")
        )
        answers = await asyncio.gather(*(search.subjects(request) for _ in range(5)))
        return {answer.body for answer in answers}

    assert len(asyncio.run(run())) == 1
    assert most == 2
