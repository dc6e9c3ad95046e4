"""What was answered under an idempotency key, whichever worker answered it."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from searchkit.serving import Answers, Claim, Refused, Shared, answers
from tests.helpers.account_workers import claiming, hung


def with_answers(path: Path, work: Any) -> Any:
    """What `work(answers)` comes to."""

    async def main() -> Any:
        with Shared(path) as shared:
            return await work(Answers(shared))

    return asyncio.run(main())


def test_an_answer_is_given_again(tmp_path):
    """To whoever asks the same under the same name, with the same key; bytes as they were, in another worker too."""
    path, body, said = tmp_path / "a.db", b'{"n": 1}', bytes(range(256))

    async def first(answers: Answers) -> None:
        await answers.keep(await answers.claim("key", "name", body), said)

    async def second(answers: Answers) -> None:
        assert await answers.claim("key", "name", body) == said
        assert isinstance(await answers.claim("another", "name", body), Claim)
        assert isinstance(await answers.claim("key", "other", body), Claim)

    with_answers(path, first)
    with_answers(path, second)


def test_another_body_is_refused(tmp_path):
    """While the first goes on, and after it."""

    async def main(answers: Answers) -> None:
        claim = await answers.claim("key", "name", b"one")
        for _ in range(2):
            with pytest.raises(Refused, match="another request") as refused:
                await answers.claim("key", "name", b"two")
            assert (refused.value.status, refused.value.retry_after) == (409, None)
            await answers.keep(claim, b"answer")

    with_answers(tmp_path / "a.db", main)


def test_one_of_many_requests_at_once_is_begun(tmp_path):
    """The others are told to come back, of two workers too."""

    async def main() -> list[Any]:
        with Shared(tmp_path / "a.db") as one, Shared(tmp_path / "a.db") as two:
            claims = [Answers(shared).claim("key", "name", b"body") for shared in (one, two) for _ in range(20)]
            return await asyncio.gather(*claims, return_exceptions=True)

    found = asyncio.run(main())
    begun = [entry for entry in found if isinstance(entry, Claim)]
    refused = [entry for entry in found if isinstance(entry, Refused)]
    assert (len(begun), len(refused)) == (1, 39)
    assert {(entry.status, bool(entry.retry_after)) for entry in refused} == {(409, True)}


def test_a_request_that_failed_or_left_may_be_asked_again(tmp_path):
    """Forgetting is not for what is answered, nor for what another request has claimed since."""

    async def main(answers: Answers) -> None:
        claim = await answers.claim("key", "name", b"one")
        assert isinstance(claim, Claim)
        await answers.forget(claim)
        task = asyncio.ensure_future(answers.claim("key", "name", b"two"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        again = await answers.claim("key", "name", b"three")
        assert isinstance(again, Claim)
        await answers.forget(claim)
        await answers.keep(again, b"answer")
        await answers.forget(again)
        assert await answers.claim("key", "name", b"three") == b"answer"

    with_answers(tmp_path / "a.db", main)


def test_names_are_of_any_text_and_length(tmp_path):
    """What stands in the file is their digest."""
    path, names = tmp_path / "a.db", ["", "a" * 1_000_000, "\0", "\ud800", "é", "'; DROP TABLE answer"]

    async def main(answers: Answers) -> None:
        for name in names:
            claim = await answers.claim("key", name, b"body")
            assert isinstance(claim, Claim)
            await answers.keep(claim, name.encode("utf-8", "replace")[:9])
        for name in names:
            assert await answers.claim("key", name, b"body") == name.encode("utf-8", "replace")[:9]

    with_answers(path, main)
    assert path.stat().st_size < 100_000


def test_a_name_is_forgotten_after_a_day(tmp_path, monkeypatch):
    """So that the file does not grow for ever."""
    path = tmp_path / "a.db"

    async def first(answers: Answers) -> None:
        await answers.keep(await answers.claim("key", "name", b"one"), b"answer")

    async def second(answers: Answers) -> None:
        assert isinstance(await answers.claim("key", "name", b"two"), Claim)

    with_answers(path, first)
    now = time.time()
    monkeypatch.setattr(answers.time, "time", lambda: now + answers.KEPT + 1)
    with_answers(path, second)


@pytest.mark.slow
def test_what_a_dead_worker_claimed_is_anybodys(tmp_path):
    """As long as it lives, it is refused."""
    path = tmp_path / "a.db"
    process = hung(path, claiming, tmp_path / "claimed")

    async def ask(answers: Answers) -> Claim | bytes:
        return await answers.claim("key", "name", b"body")

    with pytest.raises(Refused, match="goes on"):
        with_answers(path, ask)
    process.kill()
    process.join()
    assert isinstance(with_answers(path, ask), Claim)
