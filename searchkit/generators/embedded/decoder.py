"""One Llama on ONNX Runtime: `rows` texts side by side, each with its own part of one preallocated key-value cache.

Row r's logits have the same bits whichever other rows are computed with it. That is a property of the matrix kernels
(each output element summed in an order that does not depend on the number of rows), not a promise of ONNX Runtime: it
was seen to hold with prepacked weights on x86-64 and to fail without. So a new decoder measures it, and where it does
not hold, rows are computed one after another (`batched` is False): slower, still exact.

Many rows are shared out to threads, each of which runs the whole graph for its part. That needs one rendezvous a step;
ONNX Runtime's own threads meet at every operator, and stall when another process takes their CPU. Each thread has its
own session, because in ONNX Runtime 1.19 two runs of one session spoil each other's attention.
Letters: R rows, T tokens, L context, H key-value heads, D head width, V vocabulary.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Any

import numpy as np
import onnxruntime as ort

from searchkit.errors import ConfigError
from searchkit.generators.embedded.checkpoint import Checkpoint

LEAST = 16  # rows that are worth a thread of their own
Work = Callable[[Any, int, int], None]  # (session, first, end)


class Decoder:
    """Not thread-safe: its owner is one engine thread.

    cache [layers * 2, R, H, L, D] float32 (keys at even, values at odd indices), lengths [R] int32 (tokens of each row
    that are in the cache) and logits [R, V] float32 (of each row's last computed token) are open to the owner.
    `threads` share the rows of a step; `settings` are ONNX Runtime's session options.
    """

    def __init__(
        self, checkpoint: Checkpoint, rows: int, threads: int, settings: Sequence[tuple[str, str]] = ()
    ) -> None:
        sizes, parts = checkpoint.layout, max(1, min(threads, rows // LEAST))
        path = str(checkpoint.folder / "model.onnx")
        try:
            self._sessions = [_session(path, settings) for _ in range(parts)]
        except Exception as error:  # ONNX Runtime's exceptions have no common root of their own
            raise ConfigError(f"ONNX Runtime cannot open {path} ({error}): export it again") from error
        self.cache = np.zeros((2 * sizes.layers, rows, sizes.kv_heads, sizes.context, sizes.head), np.float32)
        self.lengths = np.zeros(rows, np.int32)
        self.logits = np.zeros((rows, sizes.vocabulary), np.float32)
        self._next = np.zeros((rows, 1), np.int64)
        self._first = np.zeros((rows, 1), np.int64)  # where in a one-token chunk the last token stands
        self._longest = np.array(sizes.context, np.int32)
        self._bound: dict[tuple[Any, int, int], Any] = {}
        self._helpers = [_Helper(session) for session in self._sessions[1:]]
        self.batched = self._rows_are_independent()

    def prefill(self, texts: Sequence[tuple[int, Sequence[int]]]) -> None:
        """Start rows with texts of 1 to L tokens, given as (row, ids). Each is read alone, unpadded, whole."""

        def read(session: Any, first: int, end: int) -> None:
            for row, ids in texts[first:end]:
                self._read(session, row, ids)

        self._share(len(texts), 1, read)

    def step(self, tokens: np.ndarray[Any, np.dtype[np.int64]]) -> None:
        """Feed one token to each of the first len(tokens) rows; `logits` and `lengths` of these rows move on."""
        n = len(tokens)
        self._next[:n, 0] = tokens
        self._share(n, LEAST, self._advance)
        self.lengths[:n] += 1

    def copy(self, source: int, target: int) -> None:
        """Make row `target` what row `source` is."""
        length = self.lengths[source]
        self.cache[:, target, :, :length] = self.cache[:, source, :, :length]
        self.lengths[target], self.logits[target] = length, self.logits[source]

    def _share(self, n: int, least: int, work: Work) -> None:
        """Do work(session, first, end) over [0, n) in equal parts of at least `least`, at the same time."""
        helpers = self._helpers[: max(0, n // least - 1)]
        edges = [n * part // (len(helpers) + 1) for part in range(len(helpers) + 2)]
        for helper, first, end in zip(helpers, edges[1:-1], edges[2:], strict=True):
            helper.start(work, first, end)
        try:
            work(self._sessions[0], 0, edges[1])
        finally:  # whatever happened here, nobody may still be writing when we return
            errors = [helper.wait() for helper in helpers]
        for error in filter(None, errors):
            raise error

    def _read(self, session: Any, row: int, ids: Sequence[int]) -> None:
        # A binding holds addresses only: these arrays must live, under a name, until the run is over.
        chunk, last = np.array([ids], np.int64), np.array([[len(ids) - 1]], np.int64)
        total = np.array(len(ids), np.int32)
        self.lengths[row] = len(ids) - 1  # the operator wants the index of the last token
        session.run_with_iobinding(self._bind(session, row, 1, chunk, total, last))
        self.lengths[row] = len(ids)

    def _advance(self, session: Any, first: int, end: int) -> None:
        for row, count in [(first, end - first)] if self.batched else [(row, 1) for row in range(first, end)]:
            self._run(session, row, count)

    def _run(self, session: Any, first: int, count: int) -> None:
        """One token for rows [first, first + count)."""
        binding = self._bound.get((session, first, count))
        if binding is None:
            chunk, last = self._next[first : first + count], self._first[first : first + count]
            binding = self._bind(session, first, count, chunk, self._longest, last)
            self._bound[session, first, count] = binding
        session.run_with_iobinding(binding)

    def _bind(self, session: Any, first: int, count: int, ids: Any, total: Any, last: Any) -> Any:
        """Tell ONNX Runtime where our arrays stand; past and present are the same memory."""
        io, rows = session.io_binding(), slice(first, first + count)
        inputs = {"ids": ids, "lengths": self.lengths[rows], "total": total, "last": last}
        outputs = {"logits": self.logits[rows]}
        for i, layer in enumerate(self.cache):
            name = f"{'kv'[i % 2]}{i // 2}"
            inputs[f"past_{name}"] = outputs[f"present_{name}"] = layer[rows]
        for name, a in inputs.items():
            io.bind_input(name, "cpu", 0, a.dtype.type, a.shape, a.ctypes.data)
        for name, a in outputs.items():
            io.bind_output(name, "cpu", 0, a.dtype.type, a.shape, a.ctypes.data)
        return io

    def _rows_are_independent(self) -> bool:
        """Whether a step of any number of rows gives each row the bits that it gets alone, on this machine.

        Random caches and lengths; costs one step of each size (about 0.1 s for 64 rows of the shipped model). A step
        writes one position of the cache and reads those before it, so the trial can be repeated in place.
        """
        rng, rows, longest = np.random.default_rng(0), len(self.lengths), min(self.cache.shape[3], 64)
        self.cache[..., :longest, :] = rng.random((*self.cache.shape[:3], longest, self.cache.shape[4]), np.float32)
        self.lengths[:] = rng.integers(0, longest, rows)
        self._next[:, 0] = rng.integers(0, self.logits.shape[1], rows)

        def outcome(count: int) -> bytes:
            written = self.cache[:, np.arange(count), :, self.lengths[:count]]
            return self.logits[:count].tobytes() + written.tobytes()

        for row in range(rows):
            self._run(self._sessions[0], row, 1)
        alone = [outcome(count) for count in range(1, rows + 1)]
        independent = True
        for count in range(2, rows + 1):
            self._run(self._sessions[0], 0, count)
            independent = independent and outcome(count) == alone[count - 1]
        self.cache[...], self.lengths[:] = 0, 0
        return independent


def _session(path: str, settings: Sequence[tuple[str, str]]) -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = 1, 1
    options.log_severity_level = 4  # errors are raised, and need not be printed too
    for key, value in settings:
        options.add_session_config_entry(key, value)
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


class _Helper:
    """A daemon thread with a session, which does one piece of work at a time for the decoder's owner."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._work: SimpleQueue[tuple[Work, int, int]] = SimpleQueue()
        self._done: SimpleQueue[Exception | None] = SimpleQueue()
        threading.Thread(target=self._loop, name="searchkit-decoder", daemon=True).start()

    def start(self, work: Work, first: int, end: int) -> None:
        self._work.put((work, first, end))

    def wait(self) -> Exception | None:
        """Until the work is done; what it raised."""
        return self._done.get()

    def _loop(self) -> None:
        while True:
            work, first, end = self._work.get()
            try:
                work(self._session, first, end)
            except Exception as error:
                self._done.put(error)
            else:
                self._done.put(None)
