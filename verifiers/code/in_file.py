"""InFile: any verifier of texts, on a file of the folder in which an attempt worked."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from searchkit.agents.workspace import Workspace
from searchkit.environments.patch import read
from searchkit.errors import ConfigError, VerifierError
from searchkit.kinds import told
from searchkit.mistakes import check_verifier
from searchkit.protocols import Run, Verifier
from searchkit.types import Message, Problem, Prompt, Sample, Text, Verdict
from searchkit.verifiers.base import Composed, rebound

LARGEST = 2**24  # bytes of the file


@dataclass(frozen=True)
class InFile(Composed):
    """What `verifier` says of the text of one file, of samples whose value is a `Workspace`.

    - verifier: judges texts; ``UnitTests(tests)`` runs the file as a program against its tests in the sandbox, where it
      can answer them and nothing else.
    - file: its path in the folder, with slashes.

    An attempt that left no such file, or one that is no text or larger than 16 MiB, has failed. A link is not followed.
    Joint if `verifier` is. Range: that of `verifier`. Cost: for each sample a copy of the world's files, one
    verification of its own and one of `verifier`, with what it asks.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from searchkit import search
    >>> from searchkit.agents import Workspace
    >>> from searchkit.environments import FolderEnvironment
    >>> from searchkit.strategies import BestOfN
    >>> from searchkit.verifiers import InFile, UnitTests
    >>> def mend(task: str, workspace: Workspace, index: int) -> None:
    ...     (workspace.path / "module.py").write_text(f"def double(x): return {index} * x")
    >>> folder = tempfile.TemporaryDirectory()
    >>> tests = InFile(UnitTests("assert double(3) == 6"), "module.py")
    >>> answer = search(BestOfN(3, tests), world=FolderEnvironment(folder.name))(mend)("Mend it.")
    >>> (Path(folder.name) / "module.py").read_text()
    'def double(x): return 2 * x'
    >>> folder.cleanup()
    """

    verifier: Verifier
    file: str

    def __post_init__(self) -> None:
        check_verifier("InFile", self.verifier)
        path = PurePosixPath(self.file) if isinstance(self.file, str) else PurePosixPath()
        if not path.parts or path.is_absolute() or ".." in path.parts or str(path) != self.file:
            raise ConfigError(
                f'file is the path of a file in the folder, such as "src/module.py", got {told(self.file)}'
            )

    @property
    def range(self) -> tuple[float, float]:
        return self.verifier.range

    @property
    def key(self) -> str:
        return f"in file:{[self.file, self.verifier.key]}"

    @property
    def joint(self) -> bool:
        return self.verifier.joint

    @property
    def members(self) -> tuple[Verifier, ...]:
        return (self.verifier,)

    def bind(self, problem: Problem) -> InFile:
        return rebound(self, verifier=self.verifier.bind(problem))

    async def verify(self, prompt: Prompt, samples: Sequence[Sample[Any]], run: Run) -> list[Verdict]:
        texts = [await self._text(sample, run) for sample in samples]
        there = [
            replace(sample, value=text, message=Message("assistant", (Text(text),)))
            for sample, text in zip(samples, texts, strict=True)
            if text is not None
        ]
        scored = iter(await run.score(self.verifier, prompt, there)) if there else iter(())
        missing = Verdict(passed=False, feedback=f"there is no file {self.file} that could be judged")
        return [missing if text is None else next(scored).verdict for text in texts]

    async def _text(self, sample: Sample[Any], run: Run) -> str | None:
        workspace = sample.value
        if not isinstance(workspace, Workspace):
            raise VerifierError(f"InFile judges a Workspace, got {told(workspace)}: give the search a world=...")
        async with workspace.opened(run) as there:
            found = (await asyncio.to_thread(read, there.path, [self.file])).get(self.file)
        if found is None or found.mode == "120000" or len(found.content) > LARGEST:
            return None
        try:
            return found.content.decode()
        except UnicodeDecodeError:
            return None
