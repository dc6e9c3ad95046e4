"""MCPTools: the tools of a server of the Model Context Protocol, a connection a branch."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, get_args

from searchkit.calls import CallError
from searchkit.environments.live import LiveEnvironment
from searchkit.environments.replay import ReplayEnvironment
from searchkit.environments.tools.calling import Offer
from searchkit.environments.tools.mcp_parts import in_words
from searchkit.environments.tools.schema import wrong_arguments
from searchkit.environments.tools.signature import Refused
from searchkit.environments.tools.tool import Effect, Failed, spec
from searchkit.environments.tools.worlds import call_of, said
from searchkit.errors import ConfigError
from searchkit.kinds import described, told
from searchkit.types import ToolCall

if TYPE_CHECKING:
    from mcp import Client

OPENING = 60.0  # seconds for a server to start and to say what it is
MOST_TOOLS, LONGEST_SPEC = 1000, 100_000  # tools of a server; characters that say what one takes
LISTING = "list"
LAST = 1000  # bytes of what a command that does not come up said at last on its standard error


@dataclass(frozen=True)
class MCPTools:
    """The tools of an MCP server, for `ToolEnvironment`. Needs ``pip install searchkit[mcp]``.

    - at: a command with its arguments, which starts a server that is talked to by its input and output; or the URL of
      one that speaks streamable HTTP.
    - effects: of its tools by name: "pure", "reversible" or "irreversible", as of `Tool`. Reversible is what a new
      connection knows nothing of: a command is started anew for each, a server at a URL has to keep apart what it does
      for each connection. What the server says of its tools is not relied on.
    - otherwise: the effect of all others. The default never does in a search what nobody has looked at.
    - prefix: stands before the names of its tools, where two servers have one of the same name.
    - env, cwd: of the command; beside `env` it has only what every program needs, such as PATH.
    - headers: of each HTTP request, such as the one with a key.
    - copies: at most so many connections at once in a search.

    Cost: a connection for each copy and each time a branch is restored, and there its reversible calls again.
    """

    at: str | Sequence[str]
    effects: Mapping[str, Effect] = field(default_factory=dict)
    otherwise: Effect = "irreversible"
    prefix: str = ""
    env: Mapping[str, str] | None = field(default=None, repr=False)
    cwd: str | Path | None = None
    headers: Mapping[str, str] | None = field(default=None, repr=False)
    copies: int = 1

    def __post_init__(self) -> None:
        if not isinstance(self.at, str):
            object.__setattr__(self, "at", tuple(self.at))
        if not self.at or (isinstance(self.at, str) and not re.match(r"https?://", self.at)):
            raise ConfigError(
                'MCPTools needs a command with its arguments, such as ["python", "server.py"], or the URL of a server, '
                f"got {told(self.at)}"
            )
        for name, effect in {**self.effects, "otherwise": self.otherwise}.items():
            if effect not in get_args(Effect):
                raise ConfigError(f"the effect of {name} is one of {get_args(Effect)}, got {effect!r}")

    def effect_of(self, name: str) -> Effect:
        """What a call of the server's tool of that name does."""
        return self.effects.get(name, self.otherwise)

    def world(self, seconds: float) -> LiveEnvironment:
        return ReplayEnvironment(partial(Connection, self), copies=self.copies, seconds=seconds)

    async def offers(self, world: int, look: Callable[[str], Awaitable[str]]) -> list[Offer]:
        listed = json.loads(await look(LISTING))
        names = {tool["name"] for tool in listed}
        if unknown := next((name for name in self.effects if name not in names), None):
            raise ConfigError(
                f"effects= names {unknown!r}, but the server has: {', '.join(sorted(names)) or 'no tools'}"
            )
        return [self._offer(tool, world) for tool in listed]

    def written(self, text: str) -> Sequence[ToolCall]:
        return ()

    def _offer(self, tool: Mapping[str, Any], world: int) -> Offer:
        name = re.sub(r"[^a-zA-Z0-9_-]", "_", self.prefix + tool["name"])[:64]
        schema = tool["schema"]

        def read(arguments: Any) -> Any:
            if wrong := wrong_arguments(arguments, schema):
                raise Refused(wrong)
            return arguments

        said = spec(name, tool["description"], schema)
        return Offer(name, self.effect_of(tool["name"]), said, read, world, called=tool["name"])

    @contextlib.asynccontextmanager
    async def connected(self) -> AsyncIterator[Client]:
        """A client that has said hello. Raises `ConfigError` without the package."""
        try:
            from mcp import Client, StdioServerParameters, stdio_client
            from mcp.client.streamable_http import streamable_http_client
        except ImportError as error:
            raise ConfigError("MCPTools needs the package mcp: pip install 'searchkit[mcp]'") from error
        last: Callable[[], str] = str  # nothing is known of the last words of a server elsewhere
        async with contextlib.AsyncExitStack() as stack:
            if isinstance(self.at, str):
                import httpx2

                http = await stack.enter_async_context(
                    httpx2.AsyncClient(headers=dict(self.headers or {}), timeout=None)
                )
                transport: Any = streamable_http_client(self.at, http_client=http)
            else:
                command, *args = self.at
                env = None if self.env is None else dict(self.env)
                log, last = stack.enter_context(_log())
                started = StdioServerParameters(command=command, args=args, env=env, cwd=self.cwd)
                transport = stdio_client(started, errlog=log)
            try:
                client = await stack.enter_async_context(Client(in_words(transport), cache=None))
            except Exception as error:
                raise CallError(f"no connection to the MCP server: {_why(error)}{last()}") from error
            yield client


class Connection:
    """A live environment: a connection to a server. A task of its own opens and closes it, as its library demands."""

    def __init__(self, tools: MCPTools) -> None:
        self._tools = tools
        self._task: asyncio.Task[None] | None = None
        self._done = asyncio.Event()
        self._client: Client | None = None

    async def reset(self) -> str:
        """A new connection."""
        await self.close()
        self._done, opened = asyncio.Event(), asyncio.get_running_loop().create_future()
        opened.add_done_callback(lambda one: one.cancelled() or one.exception())  # retrieved, if nobody waits any more
        self._task = asyncio.create_task(self._kept(opened, self._done))
        try:
            async with asyncio.timeout(OPENING):
                self._client = await asyncio.shield(opened)
        except TimeoutError:
            raise CallError(f"the MCP server did not answer within {OPENING:g} seconds", kind="timeout") from None
        return ""

    async def _kept(self, opened: asyncio.Future[Client], done: asyncio.Event) -> None:
        try:
            async with self._tools.connected() as client:
                opened.set_result(client)
                await done.wait()
        except Exception as error:
            if not opened.done():
                known = isinstance(error, ConfigError | CallError)
                opened.set_exception(error if known else CallError(f"no connection to the MCP server: {_why(error)}"))

    async def close(self) -> None:
        task, self._task, self._client = self._task, None, None
        if task is None:
            return
        self._done.set()
        await asyncio.wait([task], timeout=OPENING)
        task.cancel()
        await asyncio.wait([task])

    async def step(self, action: str) -> tuple[str, None, bool]:
        if self._client is None:
            raise CallError("there is no connection to the MCP server")
        if action == LISTING:
            return json.dumps(await self._listed(self._client)), None, False
        name, arguments = call_of(action)
        try:
            return await self._called(self._client, name, arguments), None, False
        except Failed as failed:
            return said(failed, name, self._tools.effect_of(name)), None, False

    async def _called(self, client: Client, name: str, arguments: dict[str, Any]) -> str:
        """What the server says. Raises `Failed` where it says that the tool failed, or nothing."""
        try:
            result = await client.call_tool(name, arguments)
        except Exception as error:
            raise Failed(f"failed: {_why(error)}") from error
        text = "\n".join(getattr(part, "text", "") for part in result.content)
        if not result.content and result.structured_content is not None:
            text = json.dumps(result.structured_content, ensure_ascii=False)
        if result.is_error:
            raise Failed(f"failed: {text}")
        return text

    async def _listed(self, client: Client) -> list[dict[str, Any]]:
        found, cursor = list[dict[str, Any]](), None
        while True:
            page = await client.list_tools(cursor=cursor)
            for tool in page.tools:
                one = {"name": tool.name, "description": tool.description or "", "schema": tool.input_schema}
                if len(found) == MOST_TOOLS or len(json.dumps(one)) > LONGEST_SPEC:
                    raise CallError(f"the MCP server has too many tools, or says too much of {tool.name[:64]}")
                found.append(one)
            cursor = page.next_cursor
            if not cursor or not page.tools:
                return found


@contextlib.contextmanager
def _log() -> Iterator[tuple[TextIO, Callable[[], str]]]:
    """A file for a command's standard error, and the last that was written to it. No more than that is kept."""
    inner, outer = os.pipe()
    os.set_blocking(inner, False)
    kept, loop = bytearray(), asyncio.get_running_loop()

    def read() -> None:
        with contextlib.suppress(BlockingIOError):
            kept.extend(os.read(inner, 2**16))
            del kept[:-LAST]

    def last() -> str:
        read()
        said = kept.decode(errors="replace").strip()
        return f"; its last words: {said}" if said else ""

    loop.add_reader(inner, read)
    try:
        with os.fdopen(outer, "w") as log:
            yield log, last
    finally:
        loop.remove_reader(inner)
        os.close(inner)


def _why(error: BaseException) -> str:
    """The first error that says something, inside of groups of them."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return described(error)
