"""CodeActions: Python in the sandbox as a tool, an interpreter a branch."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from searchkit.answers.programs.pieces import pieces
from searchkit.environments.live import LiveEnvironment
from searchkit.environments.replay import ReplayEnvironment
from searchkit.environments.tools.calling import Offer
from searchkit.environments.tools.signature import form_of, wrong_with
from searchkit.environments.tools.tool import Failed, spec
from searchkit.environments.tools.worlds import call_of
from searchkit.errors import ConfigError
from searchkit.sandbox import levels
from searchkit.sandbox.levels import Level
from searchkit.sandbox.limits import Limits
from searchkit.sandbox.session import Ended, Session
from searchkit.tool_calls import LONGEST
from searchkit.types import ToolCall

T = TypeVar("T")
CELLS = Limits(cpu=60)
_ADDRESS = re.compile(r"\b0x[0-9a-f]{6,16}\b")


def python(code: str) -> str:
    """Run Python code, as a cell of a notebook: what it defines is there in later calls.

    The observation is what it prints, and the value of its last expression. No network, and no files but those that it
    writes itself.
    """
    raise NotImplementedError(code)  # its signature and this text are the tool's


@dataclass(frozen=True)
class CodeActions:
    """Python code as actions, for `ToolEnvironment`: a tool with one argument, `code`, run in the package's sandbox; or
    what a model writes between fences.

    Each branch has an interpreter of its own. It is restored by running its cells again in a new one, see
    `ReplayEnvironment`: where they print something else then (a clock), the branch is given up, `StaleBranch`;
    addresses of objects do not count, and random numbers come from the same seed each time. A cell that raises is an
    observation, with its traceback; one that ends the interpreter or takes too long has changed nothing.

    - name: of the tool.
    - fenced: the model is told of no tool: each block of its text that is marked as Python is a cell, and what it
      shows is the user's turn. For models that call no tools; tell them so in the prompt.
    - libraries: packages that the code may import beside the standard library.
    - limits: of one interpreter, all its cells together; how long one cell may take, the environment says.
    - sandbox: as of `UnitTests`.
    - copies: at most so many interpreters at once in a search.

    Raises `ConfigError` where there is no sandbox. Cost: a process for each copy, and where a branch is restored its
    cells again. Source: Wang et al., Executable Code Actions Elicit Better LLM Agents (arXiv 2402.01030), whose actions
    are code; there one interpreter is lived in from start to end.
    """

    name: str = "python"
    fenced: bool = False
    libraries: tuple[str, ...] = ()
    limits: Limits = CELLS
    sandbox: Level = "auto"
    copies: int = 1

    def __post_init__(self) -> None:
        if trouble := wrong_with(self.name):
            raise ConfigError(trouble)
        levels.installed(self.libraries, "CodeActions needs")
        levels.check(self.limits)
        levels.choose(self.sandbox)

    def world(self, seconds: float) -> LiveEnvironment:
        return ReplayEnvironment(partial(Cells, self, seconds), copies=self.copies, fingerprint=_without_addresses)

    async def offers(self, world: int, look: Callable[[str], Awaitable[str]]) -> list[Offer]:
        form = form_of(python)
        told = "" if self.fenced else spec(self.name, form.description, form.schema)
        return [Offer(self.name, "reversible", told, form.read, world=world)]

    def written(self, text: str) -> list[ToolCall]:
        """The blocks of a text as calls; none where it is longer than arguments may be, or calls are made otherwise."""
        if not self.fenced or len(text) > LONGEST:
            return []
        cells = [piece.text for piece in pieces(text) if piece.label == "python"]
        return [ToolCall("", self.name, json.dumps({"code": cell})) for cell in cells]


class Cells:
    """A live environment: an interpreter in which cells are run."""

    def __init__(self, actions: CodeActions, seconds: float) -> None:
        self._session = Session(levels.choose(actions.sandbox), actions.libraries, actions.limits)
        self._seconds = seconds

    async def reset(self) -> str:
        await self._blocking(self._session.begin)
        return ""

    async def step(self, action: str) -> tuple[str, None, bool]:
        _, arguments = call_of(action)
        try:
            return await self._blocking(partial(self._session.run, arguments["code"], self._seconds)), None, False
        except Ended as error:
            raise Failed(f"ended the interpreter: {error}. It is as it was before this call") from error

    async def _blocking(self, work: Callable[[], T]) -> T:
        """`work()` on a thread; cancelled, the interpreter is killed, so that the thread returns."""
        try:
            return await asyncio.to_thread(work)
        except asyncio.CancelledError:
            await asyncio.to_thread(self._session.kill)  # it waits where an interpreter is being started
            raise

    def close(self) -> None:
        self._session.close()


def _without_addresses(observation: str) -> str:
    return _ADDRESS.sub("0x", observation)
