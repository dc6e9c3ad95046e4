"""What each key may spend, in one process and in several, and when some of them are killed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from pathlib import Path
from typing import Any

import pytest

from searchkit import Budget, ConfigError, Usage
from searchkit.serving import Accounts, Hold, Refused, Shared
from tests.helpers.account_workers import USD, Case, holding, hung, opening, work, work_forever
from tests.helpers.killing import PROCESSES

KEY = "digest"
HARD = [
    Case("generations", Budget(generations=500), Budget(generations=8)),
    Case("model_calls", Budget(model_calls=501), Budget(model_calls=8)),
    Case("generated_tokens", Budget(generated_tokens=1200), Budget(generated_tokens=24)),
]
SOFT = {  # with what a call costs
    Case("total_tokens", Budget(total_tokens=9000), Budget(total_tokens=240)): 26 + 3,
    Case("usd", Budget(usd=50.0), Budget(usd=1.9)): USD,
}


def with_accounts(path: Path, work: Any) -> Any:
    """What `work(accounts)` comes to."""

    async def main() -> Any:
        with Shared(path) as shared:
            return await work(Accounts(shared))

    return asyncio.run(main())


def spent(path: Path, key: str = KEY) -> dict[str, float]:
    found = with_accounts(path, lambda accounts: accounts.spent(key))
    assert not any(found.held.values())
    return dict(found.spent)


def served(path: Path, processes: int) -> list[dict[str, Any]]:
    """200 requests of each case, by so many processes: what each tells."""
    outs = [path.with_name(f"out-{number}") for number in range(processes)]
    arguments = [(str(path), [*HARD, *SOFT], 200 // processes, str(out)) for out in outs]
    if processes == 1:
        work(*arguments[0])
    else:
        started = [PROCESSES.Process(target=work, args=one) for one in arguments]
        for process in started:
            process.start()
        for process in started:
            process.join()
            assert process.exitcode == 0
    return [json.loads(out.read_text()) for out in outs]


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 4])
def test_a_key_never_spends_more_than_it_may(tmp_path, processes):
    """200 requests at once: the account says what the upstream saw. Of counts that is all that it may,
    and no more; of money, and of tokens that are read, more by the calls in flight at most."""
    path = tmp_path / "accounts.db"
    told = served(path, processes)
    for case in [*HARD, *SOFT]:
        account, parts = spent(path, case.key), [one[case.key] for one in told]
        usage = {name: sum(part["usage"][name] for part in parts) for name in parts[0]["usage"]}
        usage["total_tokens"] = usage["prompt_tokens"] + usage["generated_tokens"]
        assert account["model_calls"] == sum(part["calls"] for part in parts) == usage["model_calls"]
        assert account[case.key] == usage[case.key]
        limit, flying = getattr(case.most, case.key), sum(part["flying"] for part in parts)
        if case in SOFT:
            least = limit - getattr(case.wanted, case.key)
            assert least < account[case.key] <= limit + flying * SOFT[case]
        else:
            assert account[case.key] == limit


@pytest.mark.slow
def test_a_worker_that_is_killed_loses_no_charge(tmp_path):
    """At random moments: the account has at least what the upstream saw, and at most what was held beside."""
    path, rng = tmp_path / "accounts.db", random.Random(0)
    case, seen = Case(KEY, Budget(generations=100_000), Budget(generations=8)), 0
    for number in range(5):
        out = str(tmp_path / str(number))
        process = PROCESSES.Process(target=work_forever, args=(str(path), [case], 20, out))
        process.start()
        while process.is_alive() and not Path(f"{out}.{KEY}").exists():
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.1))
        process.kill()
        process.join()
        assert process.exitcode == -9
        seen += Path(f"{out}.{KEY}").stat().st_size
        assert seen <= spent(path)["generations"] <= seen + 20 * 8 * (number + 1)


@pytest.mark.slow
def test_what_a_dead_worker_held_is_charged_as_held(tmp_path):
    """As long as it lives, what it holds may come back; once it is dead, it is spent: its last calls were paid."""
    path = tmp_path / "accounts.db"
    process = hung(path, holding, tmp_path / "held")
    most, wanted = Budget(generations=30), Budget(generations=10)

    async def ask(accounts: Accounts) -> Hold:
        return await accounts.hold(KEY, most, wanted)

    with pytest.raises(Refused) as busy:
        with_accounts(path, ask)
    assert busy.value.retry_after
    process.kill()
    process.join()
    assert with_accounts(path, ask).budget == Budget(generations=30 - 5 - 16)
    assert spent(path)["generations"] == 30  # with what `ask` never settled: its file was closed
    assert {file.name for file in tmp_path.iterdir()} == {"accounts.db", "held"}
    with pytest.raises(Refused) as over:
        with_accounts(path, ask)
    assert over.value.retry_after is None


# ---------------------------------------------------------------- one process


def one(tmp_path: Path, work: Any) -> Any:
    return with_accounts(tmp_path / "accounts.db", work)


def test_a_hold_is_settled_once(tmp_path):
    """Settling again, or what was never held, charges nothing."""

    async def main(accounts: Accounts) -> dict[str, float]:
        hold = await accounts.hold(KEY, Budget(usd=1.0), Budget(usd=0.5))
        for _ in range(2):
            await accounts.settle(hold, Usage(generations=2, model_calls=3, prompt_tokens=5, usd=0.75), 2.5)
        await accounts.settle(Hold("made up", KEY, Budget()), Usage(usd=9.0), 1.0)
        return (await accounts.spent(KEY)).spent

    zeros = {"verifications": 0, "generated_tokens": 0}
    expected = {"generations": 2, "model_calls": 3, "total_tokens": 5, "usd": 0.75, "seconds": 2.5}
    assert one(tmp_path, main) == zeros | expected


@pytest.mark.parametrize(
    ("most", "wanted", "granted"),
    [
        (Budget(), Budget(), Budget()),
        (Budget(), Budget(generations=3), Budget(generations=3)),
        (Budget(generations=5), Budget(generations=3, usd=1.0), Budget(generations=3, usd=1.0)),
        (Budget(generations=5), Budget(usd=1.0), Budget(generations=5, usd=1.0)),
        (Budget(generations=5), Budget(generations=9), Budget(generations=5)),
        (Budget(generations=5, usd=0.0), Budget(generations=5, usd=0.0), Budget(generations=5, usd=0.0)),
        (Budget(seconds=60.0), Budget(seconds=1.5), Budget(seconds=1.5)),
    ],
)
def test_what_is_granted_of_a_fresh_account(tmp_path, most, wanted, granted):
    """What was wanted, within what the key may spend."""
    assert one(tmp_path, lambda accounts: accounts.hold(KEY, most, wanted)).budget == granted


@pytest.mark.parametrize("most", [Budget(generations=0), Budget(usd=0.0, generations=9)])
def test_nothing_is_refused_for_good(tmp_path, most):
    """A key that may spend nothing, with a request that wants some, or does not say."""
    for wanted in (Budget(), Budget(generations=1, usd=0.1)):
        with pytest.raises(Refused, match="is spent") as refused:
            one(tmp_path, lambda accounts, wanted=wanted: accounts.hold(KEY, most, wanted))
        assert (refused.value.status, refused.value.retry_after) == (429, None)


def test_what_others_hold_is_refused_for_now(tmp_path):
    """And granted once they have settled."""
    most, wanted = Budget(generations=10), Budget(generations=6)

    async def main(accounts: Accounts) -> int | None:
        first = await accounts.hold(KEY, most, wanted)
        with pytest.raises(Refused, match="other requests of this key hold") as refused:
            await accounts.hold(KEY, most, wanted)
        assert (refused.value.status, bool(refused.value.retry_after)) == (429, True)
        assert (await accounts.hold("another", most, wanted)).budget == wanted
        await accounts.settle(first, Usage(generations=1), 0.0)
        return (await accounts.hold(KEY, most, wanted)).budget.generations

    assert one(tmp_path, main) == 6


def test_a_request_that_leaves_while_it_is_held_holds_nothing(tmp_path):
    """It is cancelled at each turn of the loop, one after the other."""

    async def main(accounts: Accounts) -> dict[str, float]:
        for turns in range(6):
            task = asyncio.ensure_future(accounts.hold(KEY, Budget(generations=8), Budget(generations=8)))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await accounts.settle(await task, Usage(), 0.0)
        return (await accounts.spent(KEY)).held

    assert not any(one(tmp_path, main).values())


def test_a_settlement_is_made_also_if_nobody_waits(tmp_path):
    """The request is cancelled while it settles."""

    async def main(accounts: Accounts) -> float:
        hold = await accounts.hold(KEY, Budget(generations=8), Budget(generations=8))
        task = asyncio.ensure_future(accounts.settle(hold, Usage(generations=3), 0.0))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        found = await accounts.spent(KEY)
        assert not any(found.held.values())
        return found.spent["generations"]

    assert one(tmp_path, main) == 3


def test_two_owners_of_one_process_both_live(tmp_path):
    """A server and a test beside it, say."""
    path = tmp_path / "accounts.db"

    async def main() -> None:
        with Shared(path) as first, Shared(path) as second:
            await Accounts(first).hold(KEY, Budget(generations=8), Budget(generations=8))
            with pytest.raises(Refused) as refused:
                await Accounts(second).hold(KEY, Budget(generations=8), Budget(generations=8))
            assert refused.value.retry_after

    asyncio.run(main())


@pytest.mark.parametrize("content", [b"no database at all, by any means", b"SQLite format 3\0" + bytes(84)])
def test_a_file_of_others_is_left_as_it_is(tmp_path, content):
    """And refused in a sentence that names it."""
    path = tmp_path / "accounts.db"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"accounts\.db"):
        Shared(path)
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.slow
def test_several_processes_may_make_the_file_at_once(tmp_path):
    """As workers do that start together."""
    start = PROCESSES.Barrier(4)
    for number in range(3):
        path = tmp_path / f"{number}.db"
        processes = [PROCESSES.Process(target=opening, args=(str(path), start)) for _ in range(4)]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        assert [process.exitcode for process in processes] == [0] * 4
    assert len(list(tmp_path.iterdir())) == 3
