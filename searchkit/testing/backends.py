"""The laws of backends, as a test class to inherit from."""

from __future__ import annotations

import asyncio
import pickle
import threading
from typing import Any

from searchkit.calls import Request
from searchkit.protocols import Backend
from searchkit.types import Params, Prompt, Sample


class BackendTests:
    """Inherit and override `backend`; `prompt` and `tokens` too, where the model wants others."""

    prompt: str = "how much is 2 + 3?"
    tokens: int = 8
    seeded: bool = True  # False for servers whose answers do not follow from the seed

    def backend(self) -> Backend:
        raise NotImplementedError

    def request(self, seed: int, **params: Any) -> Request:
        return Request(Prompt.of(self.prompt), Params(max_tokens=self.tokens, **params), seed, seed)

    def complete(self, requests: list[Request], backend: Backend | None = None) -> list[Sample[str]]:
        answers = asyncio.run((backend or self.backend()).complete(requests))
        assert all(isinstance(a, Sample) for a in answers), answers
        return [a for a in answers if isinstance(a, Sample)]

    def test_one_answer_a_request_in_order(self) -> None:
        """Requests sent together give what each gives alone, in order."""
        requests = [self.request(seed) for seed in range(6)]
        together = self.complete(requests)
        assert len(together) == 6
        if self.seeded:
            assert [s.value for s in together] == [self.complete([r])[0].value for r in requests]

    def test_usage_counts_one_call_and_at_most_max_tokens(self) -> None:
        """Each answer reports one model call and no more generated tokens than were allowed; 1 token truncates."""
        for sample in self.complete([self.request(seed) for seed in range(4)]):
            assert sample.usage.model_calls == 1
            assert 0 < sample.usage.generated_tokens <= self.tokens
        [cut] = self.complete([Request(Prompt.of(self.prompt), Params(max_tokens=1), 0)])
        assert cut.finish == "length"
        assert cut.usage.generated_tokens == 1

    def test_a_cancelled_call_leaves_the_backend_usable(self) -> None:
        """After a cancelled call the next one works, on the same loop."""

        async def main() -> None:
            backend = self.backend()
            task = asyncio.create_task(backend.complete([self.request(seed) for seed in range(4)]))
            await asyncio.sleep(0.001)
            task.cancel()
            await asyncio.wait([task])
            [answer] = await backend.complete([self.request(0)])
            assert isinstance(answer, Sample)

        asyncio.run(main())

    def test_several_event_loops_may_share_it(self) -> None:
        """One backend object serves loops in several threads at once."""
        backend, answers = self.backend(), list[Sample[str]]()
        threads = [threading.Thread(target=lambda: answers.extend(self.complete([self.request(3)], backend)))
                   for _ in range(3)]  # fmt: skip
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(answers) == 3
        if self.seeded:
            assert len({a.value for a in answers}) == 1

    def test_configuration_pickles_and_the_name_is_stable(self) -> None:
        """A pickled backend has the same name and gives the same answers."""
        backend = self.backend()
        copy = pickle.loads(pickle.dumps(backend))
        assert copy.name == backend.name != ""
        if self.seeded:
            assert self.complete([self.request(1)], copy)[0].value == self.complete([self.request(1)], backend)[0].value
