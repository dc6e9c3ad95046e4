"""CommandAgent: a program of any language as an agent, whose model calls are calls of the search."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import stat
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

from searchkit.agents.children import end_beside
from searchkit.agents.endpoint import LEAST_SECRET, Endpoint
from searchkit.agents.running import Program, Running, Said
from searchkit.agents.withheld import secrets_of
from searchkit.agents.workspace import Workspace
from searchkit.calls import CallError
from searchkit.errors import ConfigError
from searchkit.kinds import is_number, is_whole, told
from searchkit.redact import redact
from searchkit.removing import removed

_PLACES = re.compile(r"\{(prompt|prompt_file|answer_file|base_url|anthropic_url|api_key)\}")
_SHOWN, _QUOTED = 60, 2_000  # characters of its command in names, of its complaints in errors


@dataclass(frozen=True)
class CommandAgent:
    """An agent that is a program: a call of this object runs it once, and returns what it answered.

    - argv: the program and its arguments. In each, ``{prompt}`` stands for what is asked, ``{prompt_file}`` for the
      path of a file with that, ``{answer_file}`` for the path of a file that it writes its answer to, and
      ``{base_url}``, ``{anthropic_url}`` and ``{api_key}`` for those of its `Endpoint`. Without one of the first two
      the prompt is its standard input, without the third the answer is its standard output.
    - env: variables that it is given besides, with the same places; by default those of this process without keys, and
      OPENAI_BASE_URL, OPENAI_API_KEY, ANTHROPIC_BASE_URL and ANTHROPIC_API_KEY of its endpoint.
    - seconds: it may take so long; None is no limit.
    - most: bytes that it may print, or write into its answer's file; what it writes to its standard error is not
      limited, and its end is quoted if it fails.

    Put a search around it like around any agent: ``search(strategy)(CommandAgent([...]))``, or
    ``solve(..., generator=CommandAgent([...]))``; `Function` has the other options. It works in an empty folder of its
    own, or with a ``world=`` in a copy of those files; what it did there is `Workspace.diff`. Each model call that it
    makes at its endpoint is counted, held, seeded and journaled, see `Endpoint`. When it ends, fails or is cancelled,
    its process group is killed, and so is what has left that and still has its key (Linux).

    It is not confined: it can do what you can. A prompt that begins with ``-`` has a blank put before it where an
    argument is ``{prompt}`` and nothing else, so that it is no option. Needs ``pip install 'searchkit[serve]'``.

    Raises `ConfigError` for a program that is not there, and `CallError` if it fails (a status that is not 0), takes
    too long or says too much. Cost: a process and a thread, and 2 ms a model call.

    >>> from searchkit import solve_sync
    >>> from searchkit.agents import CommandAgent
    >>> from searchkit.strategies import BestOfN
    >>> from searchkit.verifiers import Predicate
    >>> shouts = CommandAgent(["sh", "-c", "tr a-z A-Z"])
    >>> solve_sync("hello", BestOfN(2, Predicate(str.isupper)), generator=shouts).answer
    'HELLO'
    """

    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    seconds: float | None = None
    most: int = 2**24

    def __post_init__(self) -> None:
        if (
            isinstance(self.argv, str)
            or not self.argv
            or not all(isinstance(one, str) and one for one in self.argv[:1])
        ):
            raise ConfigError(
                f'CommandAgent takes a program with its arguments, ["node", "agent.mjs"], got {self.argv!r:.80}'
            )
        if not all(isinstance(one, str) for one in (*self.argv, *self.env, *self.env.values())):
            raise ConfigError("arguments and variables of a CommandAgent are texts")
        if any("\0" in one for one in (*self.argv, *self.env, *self.env.values())) or any(
            "=" in one for one in self.env
        ):
            raise ConfigError("no argument or variable has a NUL in it, and no name of a variable an =")
        if self.seconds is not None and not (is_number(self.seconds) and self.seconds > 0):
            raise ConfigError(f"seconds must be > 0, or None for no limit, got {told(self.seconds)}")
        if not is_whole(self.most) or self.most < 1:
            raise ConfigError(f"most must be >= 1 bytes, a whole number, got {told(self.most)}")
        object.__setattr__(self, "argv", tuple(self.argv))

    @property
    def journal_name(self) -> str:
        """What journals and traces know it by: its command, and a digest of that with its variables."""
        whole = blake2b(repr((self.argv, sorted(self.env.items()))).encode("utf-8", "replace"), digest_size=4)
        return f"{redact(shlex.join(self.argv))[:_SHOWN]} #{whole.hexdigest()}"

    async def __call__(self, prompt: str, endpoint: Endpoint | None = None, workspace: Workspace | None = None) -> str:
        """What it answers. Without an endpoint, as where no search calls it, it has the variables of this process."""
        own = _new_folder()
        try:
            program = self._program(prompt, endpoint, own, None if workspace is None else workspace.path)
            return await self._answer(program, endpoint, own / "answer")
        finally:
            await asyncio.shield(asyncio.to_thread(removed, own))

    def _program(self, prompt: str, endpoint: Endpoint | None, own: Path, folder: Path | None) -> Program:
        if folder is None:
            folder = own / "work"
            folder.mkdir()
        places = {"prompt": prompt, "prompt_file": str(own / "prompt"), "answer_file": str(own / "answer")}
        if endpoint is not None:
            places |= {name: getattr(endpoint, name) for name in ("base_url", "anthropic_url", "api_key")}
        if self._has("prompt_file"):
            (own / "prompt").write_bytes(_bytes(prompt))
        typed = b"" if self._has("prompt") or self._has("prompt_file") else _bytes(prompt)
        environment = dict(os.environ) if endpoint is None else endpoint.environment()
        environment |= {name: _filled(value, places) for name, value in self.env.items()}
        argv = [" " * _is_option(one, prompt) + _filled(one, places) for one in self.argv]
        return Program(argv, folder, environment, typed, self.most, self.seconds)

    def _has(self, place: str) -> bool:
        return any(f"{{{place}}}" in text for text in (*self.argv, *self.env.values()))

    def _elsewhere(self, folder: Path) -> str:
        """The fix, where it names a file of this process's folder, which is not the one that it works in."""
        names = [one for number, one in enumerate(self.argv) if (number or "/" in one) and os.path.isfile(one)]
        missing = [one for one in names if not os.path.isabs(one) and not os.path.lexists(folder / one)]
        if not missing:
            return ""
        return f" ({missing[0]} is a file here, and none in the folder that it works in: give its whole path)"

    async def _answer(self, program: Program, endpoint: Endpoint | None, file: Path) -> str:
        name = self.journal_name
        try:
            said = await Running(program).said()
        except (FileNotFoundError, PermissionError, NotADirectoryError) as error:
            raise ConfigError(f"{name} cannot be started: {error}{self._elsewhere(program.folder)}") from error
        except (OSError, ValueError) as error:
            fix = "give it the prompt by {prompt_file}, or as its standard input"
            raise CallError(
                f"{name} cannot be started with this prompt ({error}): {fix}", kind="bad_request"
            ) from error
        except CallError as error:
            raise CallError(f"{name}: {error}", kind=error.kind) from error
        finally:
            if endpoint is not None:
                await asyncio.shield(end_beside(endpoint.api_key))
        if said.status:
            raise CallError(f"{name} {_ended(said, _keys(program, endpoint))}{self._elsewhere(program.folder)}")
        answer = _read(file, self.most) if self._has("answer_file") else said.printed
        if answer is None:
            raise CallError(f"{name} wrote no answer into its file, or more than {self.most:,} bytes")
        return answer.decode(errors="replace").rstrip("\r\n")


def _new_folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="searchkit-command-")).resolve()


def _filled(text: str, places: Mapping[str, str]) -> str:
    def put(found: re.Match[str]) -> str:
        if found[1] not in places:
            raise ConfigError(f"{found[0]} of a CommandAgent is known in a search only")
        return places[found[1]]

    return _PLACES.sub(put, text)


def _is_option(argument: str, prompt: str) -> bool:
    return argument == "{prompt}" and prompt.startswith("-")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _keys(program: Program, endpoint: Endpoint | None) -> set[str]:
    """What its complaints may quote of it, and nobody else should read."""
    _, values = secrets_of(program.environment)
    keys = {value for value in values if len(value) >= LEAST_SECRET}
    return keys if endpoint is None else keys | {endpoint.api_key, *endpoint.secrets}


def _ended(said: Said, keys: set[str]) -> str:
    how = f"ended with status {said.status}" if said.status > 0 else f"was ended by signal {-said.status}"
    complaint = redact((said.complaints.strip() or said.printed[-_QUOTED:]).decode(errors="replace"), *keys)
    return f"{how}: {complaint.strip()[-_QUOTED:]}"


def _read(path: Path, most: int) -> bytes | None:
    """What is in a file, None where it is none, or larger."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        return None
    known = os.fstat(handle)
    if not stat.S_ISREG(known.st_mode) or known.st_size > most:
        os.close(handle)
        return None
    with open(handle, "rb") as file:
        found = file.read(most + 1)
    return found if len(found) <= most else None
