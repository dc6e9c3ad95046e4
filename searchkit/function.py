"""Function: any callable or agent as a generator, sync or async, given as itself or as a factory."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import threading
import warnings
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, fields
from typing import Any, Literal

from searchkit.agents.children import end_beside
from searchkit.agents.committed import check_world
from searchkit.agents.endpoint import Endpoint
from searchkit.agents.upstream import BY_ENVIRONMENT, Upstream
from searchkit.agents.workspace import AttemptWorld, attempted, codec_in, ended
from searchkit.ambient import CURRENT, Attempt
from searchkit.annotated import PICKLED, codec_for, reports_usage
from searchkit.arguments import Signature, signature_of
from searchkit.calls import CallError
from searchkit.codec import Codec
from searchkit.confidence import check_floor
from searchkit.errors import ConfigError, SearchkitError, SearchWarning
from searchkit.kinds import described, told, yields
from searchkit.mistakes import check_generator
from searchkit.protocols import Generator, Run, Slots
from searchkit.types import Budget, Params, Prompt, Sample

OPENED: Any = object()  # stands for an endpoint, which is opened only for a function whose caller gave none


@dataclass(frozen=True)
class Function:
    """Calls `fn` once a sample; whatever it returns is the sample's value.

    - fn: is given the prompt's text (the `Prompt` itself if its first parameter is annotated so), and what it asks for:
      the run by a parameter annotated `Run`, whatever it is called (``run: Run | None = None`` too, which leaves `fn`
      callable without a search), the parameters by one annotated `Params`, a URL of its own by one annotated
      `Endpoint`; `seed`, `index`, `run`, `params` and `endpoint` by parameters of these names without a default. What
      its caller or its author gave is never replaced.
    - factory: `fn` takes no prompt and makes a fresh agent, itself a callable, for every sample; needed for agents with
      state.
    - name: the identity in journals; whatever is not a function at the top of a module needs one there.
    - version: belongs to the identity; a new one forgets what an old one answered.
    - codec: stores values that are not JSON in a journal; by default the return annotation says how (dataclasses,
      TypedDicts, pydantic models, enumerations, dates, tuples, sets), and what it cannot store is refused
      (`ConfigError`), before the first call where the annotation shows it. "pickle" stores whatever can be pickled; the
      journal is then trusted input: resuming from another person's runs their code.
    - threads: a synchronous `fn` runs in a thread, at most so many at once in a search.
    - args, kwargs: call `fn` with these instead of the prompt.
    - upstream: the servers behind the `Endpoint` that `fn` declares a parameter for.
    - world: files of which each call has a copy of its own, a `FolderEnvironment` or a `GitEnvironment`: `fn` declares
      a parameter ``workspace: Workspace``, works in its `path`, and the sample's value is the `Workspace` with what it
      did, and with what it returned as `said`. The original is not touched, see `searchkit.agents.Committed`.

    A callable that raises is a failed call (`CallError`), charged as one; parameters with a floor are refused
    (`CapabilityError`). A thread cannot be stopped: a cancelled synchronous call keeps its thread slot until it
    returns. Cost: one generation and one model call a sample; its tokens are unknown unless `fn` returns a `Sample`
    that says so. If `fn` itself calls a function under `@search`, the cost is what that search costs.
    """

    fn: Callable[..., Any]
    factory: bool = False
    name: str = ""
    version: str = ""
    codec: Codec | Literal["pickle"] | None = None
    threads: int = 32
    args: tuple[Any, ...] | None = None
    kwargs: Mapping[str, Any] | None = None
    upstream: Upstream = BY_ENVIRONMENT
    world: AttemptWorld | None = None

    def __post_init__(self) -> None:
        if not callable(self.fn):
            raise ConfigError(f"Function needs a callable, got {self.fn!r}")
        if yields(self.fn):
            raise ConfigError(f"{label(self.fn)} is refused: it yields; return the whole answer instead")
        if not self.factory and _makes_agents(self.fn):
            raise ConfigError(
                f"{label(self.fn)} is a class: pass an object of it, or Function({self.fn.__name__}, factory=True)"
            )
        if self.threads < 1:
            raise ConfigError(f"threads must be >= 1, got {self.threads}")
        if not isinstance(self.upstream, Upstream):
            raise ConfigError(f"upstream= is an Upstream, such as Upstream(openai_url=...), got {told(self.upstream)}")
        if self.world is not None:
            check_world(self.world)
            if self.called is not None and not self.signature.asks("workspace"):
                raise ConfigError(
                    f"{label(self.fn)} has a world and would not know of it: declare a parameter "
                    "`workspace: Workspace`, and work in its path"
                )
        if self.codec is not None and self.codec != "pickle" and not isinstance(self.codec, Codec):
            raise ConfigError(f'codec must be Codec(dump, load), "pickle" or None, got {self.codec!r}')

    @property
    def called(self) -> Callable[..., Any] | None:
        """What is called for a sample: `fn`, or what its agents do if it is a class of them; None if not known yet."""
        if not self.factory:
            return self.fn
        return getattr(self.fn, "__call__", None) if inspect.isclass(self.fn) else None  # noqa: B004

    @functools.cached_property
    def signature(self) -> Signature:
        """What `called` declares."""
        return Signature() if self.called is None else signature_of(self.called)

    @functools.cached_property
    def stored(self) -> Codec | None:
        """How values are stored in a journal; raises `ConfigError` if they cannot be."""
        if self.codec is None:
            found = None if self.called is None else codec_for(self.called)
        else:
            found = self.codec if isinstance(self.codec, Codec) else PICKLED
        return found if self.world is None else codec_in(self.world, found)

    def __getstate__(self) -> dict[str, Any]:
        """The fields, without what was found out about them."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    async def generate(self, prompt: Prompt, run: Run, *, params: Params | None = None) -> Sample[Any]:
        check_floor(params, self)
        name = self.name or label(self.fn)
        if run.journaled and not self.name and not lasting(self.fn):
            raise ConfigError(
                f"{name} has no lasting identity, and a journal must tell it from others in another process: use a "
                "function defined at the top of a module (a method's object needs a repr that tells it from others), "
                "or pass name="
            )
        attempt = Attempt(run, asyncio.get_running_loop())
        offered = {"seed": run.seed, "index": run.index, "run": run, "params": params}
        perform = functools.partial(self.played if self.world is None else self._inside, attempt, prompt, offered)
        value_codec = self.stored if run.journaled else None
        return await run.call(name, prompt, perform, params=params, version=self.version, value_codec=value_codec)

    async def _inside(self, attempt: Attempt, prompt: Prompt, offered: Mapping[str, Any]) -> Sample[Any]:
        """The same in a copy of the world's files: what was done to them."""
        assert self.world is not None
        async with attempted(self.world, attempt.run) as workspace:
            sample = await self.played(attempt, prompt, {**offered, "workspace": workspace})
            return await ended(workspace, sample, attempt.run)

    async def played(self, attempt: Attempt, prompt: Prompt, offered: Mapping[str, Any]) -> Sample[Any]:
        """What `fn` returns as `attempt`. offered: what it may ask for by parameters, but for its endpoint.

        Raises `CallError` if it raises.
        """
        run, name = attempt.run, self.name or label(self.fn)
        before, doors, endpoint = CURRENT.set(attempt), AsyncExitStack(), None
        try:
            agent = self.fn() if self.factory else self.fn
            declared = signature_of(agent) if self.factory else self.signature
            if self.world is not None and "workspace" not in offered:
                raise ConfigError(f"{name} has world=, which is for whole attempts: give AgentSteps a world of its own")
            if declared.needs("workspace") and "workspace" not in offered:
                raise ConfigError(
                    f"{name} works in a Workspace: say of which files, with @search(..., "
                    "world=FolderEnvironment(...)) or Function(agent, world=...)"
                )
            offered = {"workspace": None, **offered, "endpoint": OPENED}
            args, kwargs = self._arguments(agent, declared, prompt, offered)
            if any(value is OPENED for value in (*args, *kwargs.values())):
                endpoint = await self._endpoint(attempt, doors)
                args = [endpoint if value is OPENED else value for value in args]
                kwargs = {name: endpoint if value is OPENED else value for name, value in kwargs.items()}
            call = functools.partial(agent, *args, **kwargs)
            value = await call() if is_async(agent) else await in_thread(self._held(call, run), run, name, self.threads)
            if inspect.isawaitable(value):
                value = await value
            if inspect.isgenerator(value) or inspect.isasyncgen(value):
                raise ConfigError(f"{name} is refused: it returned a generator; return the whole answer instead")
        except SearchkitError:
            raise
        except asyncio.CancelledError:
            if endpoint is not None:
                await end_beside(endpoint.api_key)
            raise
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:  # of agents' own kinds, and groups of them, too
            raise CallError(f"{name} raised {described(error)}") from error
        finally:
            CURRENT.reset(before)
            await doors.aclose()
        return value if isinstance(value, Sample) else Sample(value)

    def _held(self, call: Callable[[], Any], run: Run) -> Callable[[], Any]:
        """The same, so that what a thread leaves is removed that outlives the search."""
        return call if self.world is None else functools.partial(self.world.holding(run), call)

    async def _endpoint(self, attempt: Attempt, doors: AsyncExitStack) -> Endpoint:
        """The URL of this attempt, shut with `doors`."""
        from searchkit.serving.gateway import Gateway

        gateway = attempt.run.resource(Gateway, Gateway)
        token, endpoint = await gateway.open(attempt, self.upstream)
        doors.callback(gateway.shut, token)
        return endpoint

    def _arguments(
        self, agent: Callable[..., Any], declared: Signature, prompt: Prompt, offered: Mapping[str, Any]
    ) -> tuple[list[Any], dict[str, Any]]:
        args = self.args if self.args is not None else (prompt if declared.whole else prompt.text,)
        if self.args is None:
            _check_supplied(agent, declared, self.kwargs or {})
        return declared.bind(args, self.kwargs or {}, offered)


def _check_supplied(agent: Callable[..., Any], declared: Signature, given: Mapping[str, Any]) -> None:
    """Raises `ConfigError` for a callable that wants more than a prompt and what a search supplies."""
    places = [name for name, asked in declared.places if asked is None]
    missing = [name for name in declared.required if name not in given and name not in places[:1]]
    if missing:
        raise ConfigError(
            f"{label(agent)} has the parameter {missing[0]!r}, which a search does not supply: a generator is called "
            "with the prompt, and with what it asks for by the names seed, index, run, params and endpoint, such as "
            "`lambda text, index: ...`; give the parameter one of these names, or a default"
        )


def original(error: Exception) -> Exception:
    """What a callable raised, for the `CallError` that says so; any other error itself."""
    cause = error.__cause__
    if not isinstance(error, CallError) or not isinstance(cause, Exception):
        return error
    wrapped = error.kind == "failed" and error.request is None and str(error).endswith(f" raised {described(cause)}")
    return cause if wrapped else error  # an error of ours with a reason of its own says more than that


def label(fn: Callable[..., Any]) -> str:
    """What a callable is called in traces and journals."""
    if own := _own_name(fn):
        return own
    fn = fn.func if isinstance(fn, functools.partial) else fn
    module = getattr(fn, "__module__", "") or ""
    return f"{module}.{getattr(fn, '__qualname__', type(fn).__qualname__)}"


def lasting(fn: Callable[..., Any]) -> bool:
    """Whether a name stands for this callable alone: not for methods, partials, lambdas and inner functions."""
    return bool(_own_name(fn)) or (
        (inspect.isfunction(fn) or inspect.isbuiltin(fn) or inspect.isclass(fn)) and "<" not in fn.__qualname__
    )


def _own_name(fn: Callable[..., Any]) -> str:
    """The name of a callable that has a lasting one, such as a `CommandAgent`; "" of others."""
    name = getattr(fn, "journal_name", "")
    return name if isinstance(name, str) else ""


def _makes_agents(fn: Callable[..., Any]) -> bool:
    """Whether `fn` is a class of agents, and not one whose objects are answers, such as `str`."""
    methods = {"generate", "complete", "__call__"}
    return isinstance(fn, type) and any(methods & vars(base).keys() for base in fn.__mro__)


def warn_of_ceilings(function: Function, budget: Budget) -> None:
    """Warn of ceilings that cannot bind: on tokens and money that only an opaque agent knows of."""
    opaque = [name for name, _ in budget.ceilings() if name in ("generated_tokens", "total_tokens", "usd")]
    called = function.called
    if opaque and called is not None and not function.signature.asks("run") and not reports_usage(called):
        names = " and ".join(f"Budget({name}=...)" for name in opaque)
        warnings.warn(
            f"{names} cannot bind: what {function.name or label(function.fn)} spends is not seen. Let it make "
            "its calls with searchkit.agents.async_client(), or declare a parameter `endpoint: Endpoint` or `run: Run` "
            "and call models there, or return a Sample with its usage; or limit generations or seconds instead",
            SearchWarning,
            stacklevel=2,
        )


def as_generator(agent: Generator | Callable[..., Any]) -> Generator:
    """`agent` if it is a generator, else the callable wrapped as one."""
    if callable(agent) and (isinstance(agent, type) or not isinstance(agent, Generator)):
        return Function(agent)
    check_generator("generator= of a search", agent)
    return agent


def is_async(agent: Callable[..., Any]) -> bool:
    inner = agent.func if isinstance(agent, functools.partial) else agent
    return inspect.iscoroutinefunction(inner) or inspect.iscoroutinefunction(getattr(inner, "__call__", None))  # noqa: B004


async def in_thread(call: Callable[[], Any], run: Run, name: str, threads: int, seconds: float | None = None) -> Any:
    """`call()` in a daemon thread of its own, so that neither an abandoned call nor exit ever waits for it.

    seconds: how long it may take once it has begun; then `TimeoutError` is raised. A call that is given up, late or
    cancelled, keeps its slot until it returns. Where such calls hold all slots, others wait for one no longer than
    `seconds`, since they may never return.
    """
    slots = run.slots(name, threads)
    await _slot(slots, seconds)
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Any] = loop.create_future()
    lost = returned = False

    def give_up() -> None:
        nonlocal lost
        if not returned:
            lost = True
            slots.lost += 1
            run.abandon()

    def finish(value: Any, error: BaseException | None) -> None:
        nonlocal returned
        returned = True
        slots.lost -= lost
        slots.release()
        if not done.done():
            done.set_exception(error) if error is not None else done.set_result(value)

    def work() -> None:
        value, error = None, None
        try:
            value = context.run(call)
        except BaseException as raised:  # SystemExit too: it must not silently end the thread
            error = (
                raised if not isinstance(raised, StopIteration) else RuntimeError("the callable raised StopIteration")
            )
        if not loop.is_closed():
            loop.call_soon_threadsafe(finish, value, error)

    context = contextvars.copy_context()
    threading.Thread(target=work, name=f"searchkit-{name}", daemon=True).start()
    try:
        async with asyncio.timeout(seconds) as clock:
            return await done
    except asyncio.CancelledError:
        give_up()
        raise
    except TimeoutError:
        if clock.expired() and done.cancelled():  # it has not returned just now
            give_up()
        raise


async def _slot(slots: Slots, seconds: float | None) -> None:
    """Wait for a slot. Raises `TimeoutError` where after `seconds` all are lost."""
    while True:
        try:
            async with asyncio.timeout(seconds):
                await slots.acquire()
            return
        except TimeoutError:
            if slots.lost >= slots.size:
                raise
