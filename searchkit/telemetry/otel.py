"""A listener that makes OpenTelemetry spans of what happens in a search, as it happens."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from searchkit.errors import ConfigError
from searchkit.events import Answered, Asked, Began, Ended, Event, Opened, Over, Place
from searchkit.kinds import told
from searchkit.telemetry import attributes, content
from searchkit.telemetry.attributes import Secrets
from searchkit.types import Sample

if TYPE_CHECKING:
    from opentelemetry.trace import Span, TracerProvider

SCOPE = "searchkit"


@dataclass(slots=True)
class _Open:
    """A span that goes on. asked, answer: what its call asked for, and what came, once they are known."""

    span: Span
    asked: Asked | None = None
    answer: Sample[Any] | None = None


@dataclass(slots=True)
class _Search:
    """A search that goes on. Without a root it was not sampled: nothing is kept of it."""

    root: Span | None
    secrets: Secrets = field(default_factory=Secrets)


class OpenTelemetry:
    """Use as ``solve(..., listen=OpenTelemetry())``: one for each search or list of searches that goes on at a time.

    - provider: where the spans go, a `TracerProvider` of the SDK; None is the one that the program has set.
    - content: whether prompts and answers stand on the spans. They leave the house then, so by default they do not.

    Every span of the trace is one of OpenTelemetry's with the same parent, name and times. The search itself is a child
    of the span that is current where it is opened, if there is one. The provider's sampler decides about the search as
    a whole: of one that it leaves out nothing is recorded. Attributes follow the semantic conventions for generative
    AI, version 0.1.0 (https://github.com/open-telemetry/semantic-conventions-genai, in development); what these do not
    know begins with ``searchkit.``. Tokens stand on the spans of the calls that they were spent on, and nowhere twice.
    An error is the span's status. Keys and passwords are taken out of every text.

    A span that counts as cancelled only after it has ended (`Dropped`) has been handed on as it was.

    Raises `ConfigError` if the package opentelemetry is missing (``pip install 'searchkit[otel]'``), for what is no
    provider, and for a second search at the same place while the first goes on. Cost: some 150 microseconds of the
    event loop for each span, most of them the SDK's.

    >>> from opentelemetry.sdk.trace import TracerProvider
    >>> from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    >>> from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    >>> from searchkit import Model, solve_sync
    >>> from searchkit.generators import Simulated
    >>> from searchkit.strategies import BestOfN
    >>> from searchkit.verifiers import Exact
    >>> kept, provider = InMemorySpanExporter(), TracerProvider()
    >>> provider.add_span_processor(SimpleSpanProcessor(kept))
    >>> model = Model(Simulated({"42": 1.0}))
    >>> listen = OpenTelemetry(provider)
    >>> result = solve_sync("6 * 7 = ?", BestOfN(2, Exact(reference="42")), generator=model, listen=listen)
    >>> sorted({span.name for span in kept.get_finished_spans()})
    ['chat simulated', 'draw', 'invoke_workflow BestOfN', 'score', 'search']
    """

    def __init__(self, provider: TracerProvider | None = None, *, content: bool = False) -> None:
        self._api = _package()
        if provider is not None and not hasattr(provider, "get_tracer"):
            raise ConfigError(f"provider= is a TracerProvider of the SDK, got {told(provider)}")
        self._tracer = self._api.get_tracer(SCOPE, tracer_provider=provider)
        self._content = content
        self._above: Any = None  # the context of what is around all searches, else the current one
        self._searches: dict[Place, _Search] = {}
        self._open: dict[Place, _Open] = {}
        self._zero = 0  # nanoseconds on the wall clock at which time.perf_counter was 0

    def __call__(self, event: Event) -> None:
        """Take one event of a search."""
        if isinstance(event, Began):
            self._begin(event)
        elif isinstance(event, Ended):
            self._end(event)
        elif isinstance(event, Asked):
            self._ask(event)
        elif isinstance(event, Opened):
            self._start(event)
        elif isinstance(event, Over):
            self._finish(event)
        elif isinstance(event, Answered) and event.at in self._open:
            self._open[event.at].answer = event.sample

    @contextmanager
    def around(self, name: str) -> Iterator[OpenTelemetry]:
        """A span `name` around all searches of the block: ``with telemetry.around("sweep") as listen: ...``.

        For a sweep or a list of problems, whose searches would be traces of their own. An error that leaves the block
        is its status.
        """
        before = self._above
        with self._tracer.start_as_current_span(name, before) as span:
            self._above = self._api.set_span_in_context(span, before)
            try:
                yield self
            finally:
                self._above = before

    # ---------------------------------------------------------------- the search

    def _start(self, event: Opened) -> None:
        if event.at in self._searches:
            raise ConfigError("two searches at once have the same listener: give each an OpenTelemetry of its own")
        if not self._searches:
            self._zero = time.time_ns() - time.perf_counter_ns()
        said = attributes.of_search(event)
        root = self._tracer.start_span("search", self._above, attributes=said, start_time=self._at(event))
        if not root.is_recording():
            self._searches[event.at] = _Search(None)
            return
        self._searches[event.at], self._open[event.at] = _Search(root), _Open(root)

    def _finish(self, event: Over) -> None:
        search = self._searches.pop(event.at, None)
        if search is None or search.root is None:
            return
        for at in [at for at in self._open if at[: len(event.at)] == event.at and at != event.at]:
            self._open.pop(at).span.end(self._at(event))  # of an agent that could not be stopped
        self._open.pop(event.at, None)
        said, error = attributes.of_end(event, search.secrets)
        search.root.set_attributes(said)
        if error:
            search.root.set_status(self._failed(error))
        search.root.end(self._at(event))

    # ---------------------------------------------------------------- its spans

    def _begin(self, event: Began) -> None:
        around = self._open.get(event.at[:-1])
        if around is None:  # not sampled
            return
        name, said = attributes.of_span(event)
        span = self._tracer.start_span(
            name, self._api.set_span_in_context(around.span), attributes=said, start_time=self._at(event)
        )
        self._open[event.at] = _Open(span)

    def _ask(self, event: Asked) -> None:
        call, search = self._open.get(event.at), self._search(event.at)
        if call is None or search is None:
            return
        call.asked = event
        search.secrets.learn(event.by)
        name, said = attributes.of_asked(event)
        call.span.update_name(search.secrets.out_of(name, attributes.LONGEST_NAME))
        call.span.set_attributes(said)
        if self._content:
            call.span.set_attributes(content.asked(event, search.secrets))

    def _end(self, event: Ended) -> None:
        call, search = self._open.get(event.at), self._search(event.at)
        if call is None or search is None:
            return
        if call.asked is None and event.kind == "call" and event.usage.model_calls:  # of a journal: nobody was asked
            self._ask(Asked(event.at, event.time, "model", event.name))
        said, error = attributes.of_ended(event, call.asked, call.answer, search.secrets)
        call.span.set_attributes(said)
        if self._content:
            call.span.set_attributes(content.answered(event, call.asked, call.answer, search.secrets))
        if error:
            call.span.set_status(self._failed(error))
        call.span.end(self._at(event))
        del self._open[event.at]

    # ---------------------------------------------------------------- helpers

    def _search(self, at: Place) -> _Search | None:
        """The search that a place belongs to."""
        return next((self._searches[at[:n]] for n in range(len(at) + 1) if at[:n] in self._searches), None)

    def _at(self, event: Event) -> int:
        """When it was, in nanoseconds on the wall clock."""
        return self._zero + round(event.time * 1e9)

    def _failed(self, error: str) -> Any:
        return self._api.Status(self._api.StatusCode.ERROR, error)


def _package() -> Any:
    """The API of OpenTelemetry, which is imported by those who want it."""
    try:
        from opentelemetry import trace
    except ImportError as error:
        raise ConfigError("spans need the package of OpenTelemetry: pip install 'searchkit[otel]'") from error
    return trace
