"""Proxies of other libraries beside `searchkit serve`: 8 samples a request, on the same simulated server.

    python benchmarks/serve_peers.py [--json] [--optillm DIR] [--its-hub DIR] [--requests 128] [--rounds 3]

DIR: a virtual environment with optillm 0.4.0, or with its_hub[iaas] 1.2.0. Each proxy is started by its own command,
with its defaults and what says where the model is, and asked by 32 clients. Pairs that do the same: optillm's best of
n, where the model grades each sample, beside best of 8 with a `Judge`; its_hub's self-consistency, the only algorithm
of its proxy, beside a vote of 8. Requests a second, CPU of the proxy, and what each request costs upstream; the proxies
alternate. Linux: CPU is read from /proc.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serve import cpu_of, posted

from searchkit.testing.server import Server, words

CLIENTS = 32
LATENCY = 0.1
SAMPLES = 8
OURS = """
[backends.local]
backend = "{url}"
model = "test-model"
[verifiers]
judge = "Judge()"
[strategies.best-of-8]
strategy = "best-of-n"
n = 8
verifier = "judge"
[strategies.vote]
strategy = "self-consistency"
n = 8
[models.test-model]
backend = "local"
"""


@dataclass(frozen=True)
class Proxy:
    """How one is started and asked. configured: posted to it once it listens, with the path."""

    name: str
    command: tuple[str, ...]
    body: Mapping[str, Any]
    environment: Mapping[str, str]
    configured: tuple[str, Mapping[str, Any]] | None = None


def reply(text: str, seed: int, body: dict[str, Any]) -> str:
    """A grade for who asks for one, else words."""
    if "Score the answer" in text:
        return '{"reasoning": "it will do", "score": 8}'
    return "8" if "Rate the above" in text else words(text, seed, body)


def proxies(url: str, folder: Path, options: argparse.Namespace) -> Iterator[tuple[Proxy, int]]:
    """Those that are to be compared, with the ports that they are told."""
    config = folder / "serve.toml"
    config.write_text(OURS.format(url=url))
    for name in ("best-of-8", "vote"):
        port = free_port()
        command = (sys.executable, "-m", "searchkit", "serve", str(config), "--port", str(port))
        yield Proxy(f"searchkit {name}", command, {"model": f"test-model@{name}"}, {}), port
    if options.optillm:
        port = free_port()
        command = (f"{options.optillm}/bin/optillm", "--base-url", url, "--approach", "bon",
                   "--best-of-n", str(SAMPLES), "--port", str(port))  # fmt: skip
        yield Proxy("optillm bon", command, {"model": "test-model"}, {"OPENAI_API_KEY": "none"}), port
    if options.its_hub:
        port = free_port()
        command = (f"{options.its_hub}/bin/its-iaas", "--port", str(port))
        said = {"endpoint": url, "api_key": "none", "model": "test-model", "alg": "self-consistency",
                "regex_patterns": ["(.*)"], "budget": SAMPLES}  # fmt: skip
        yield Proxy("its_hub self-consistency", command, {"model": "test-model"}, {}, ("/configure", said)), port


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


@contextlib.contextmanager
def running(proxy: Proxy, port: int) -> Iterator[int]:
    """Its process id, once it listens."""
    environment = {**os.environ, **proxy.environment}
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(proxy.command, stdout=log, stderr=log, env=environment) as process,
    ):
        try:
            until_listens(process, port, log)
            if proxy.configured is not None:
                path, said = proxy.configured
                headers = {"content-type": "application/json"}
                made = urllib.request.Request(f"http://127.0.0.1:{port}{path}", json.dumps(said).encode(), headers)
                urllib.request.urlopen(made, timeout=60).close()
            yield process.pid
        finally:
            process.terminate()


def until_listens(process: subprocess.Popen[bytes], port: int, log: Any) -> None:
    for _ in range(1200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None:
            break
        time.sleep(0.1)
    log.seek(0)
    raise SystemExit(f"{process.args!r} does not listen: {log.read()[-2000:].decode(errors='replace')}")


async def asked(port: int, body: Mapping[str, Any], requests: int) -> float:
    """The seconds that so many requests take."""
    left = iter(range(requests))

    async def client() -> None:
        for number in left:  # a connection each: not every proxy keeps them open
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            said = {**body, "messages": [{"role": "user", "content": f"Question {number}?"}]}
            url = f"http://127.0.0.1:{port}"
            head = b"\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n"
            writer.write(posted(url, said).replace(b"\r\n\r\n", head, 1))
            answer = await reader.read()
            assert b" 200 " in answer[:20], answer[:2000]
            writer.close()
            await writer.wait_closed()

    began = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return time.perf_counter() - began


def measured(options: argparse.Namespace) -> list[dict[str, Any]]:
    """A row for each proxy: medians of the rounds."""
    rows: dict[str, list[tuple[float, float, float]]] = {}
    with (
        Server(reply=reply, latency=LATENCY) as upstream,
        tempfile.TemporaryDirectory() as folder,
        contextlib.ExitStack() as stack,
    ):
        started = [(proxy, port, stack.enter_context(running(proxy, port)))
                   for proxy, port in proxies(upstream.url, Path(folder), options)]  # fmt: skip
        for proxy, port, _ in started:
            asyncio.run(asked(port, proxy.body, CLIENTS))
        for _ in range(options.rounds):
            for proxy, port, pid in started:
                before, calls = cpu_of(pid), len(upstream.requests)
                seconds = asyncio.run(asked(port, proxy.body, options.requests))
                row = (options.requests / seconds, 1000 * (cpu_of(pid) - before) / options.requests,
                       (len(upstream.requests) - calls) / options.requests)  # fmt: skip
                rows.setdefault(proxy.name, []).append(row)
    columns = ("requests_a_second", "cpu_ms_a_request", "upstream_requests")
    medians = {name: [statistics.median(column) for column in zip(*found, strict=True)] for name, found in rows.items()}
    return [
        {"proxy": name, **{of: round(x, 2) for of, x in zip(columns, found, strict=True)}}
        for name, found in medians.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--optillm", metavar="DIR")
    parser.add_argument("--its-hub", metavar="DIR")
    parser.add_argument("--requests", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    for row in measured(options):
        print(json.dumps(row) if options.json else "  ".join(f"{key}: {value}" for key, value in row.items()))


if __name__ == "__main__":
    main()
