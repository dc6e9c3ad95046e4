"""What stands in `examples/serving` for operators: nginx in front, a systemd unit, a container's file."""

from __future__ import annotations

import configparser
import contextlib
import http.client
import json
import os
import shlex
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from searchkit.cli import parser
from searchkit.serving.server import SearchServer, digest_of, new_key, running, telling
from tests.helpers.servers import until
from tests.helpers.serving import SUM, Slow, listening, served

ROOT = Path(__file__).parents[3]
FILES = ROOT / "examples" / "serving"
NAME = "search.example"

# ---------------------------------------------------------------- nginx


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


@dataclass
class Waiting(Slow):
    """A model that answers nothing until it is let `go`."""

    go: threading.Event = field(default_factory=threading.Event)

    async def complete(self, requests: Any) -> Any:
        self.seconds = 0.0 if self.go.is_set() else 3600.0
        return await super().complete(requests)


@dataclass
class Proxied:
    """A server behind nginx."""

    port: int
    server: SearchServer
    context: ssl.SSLContext
    backend: Slow
    opened: list[http.client.HTTPConnection] = field(default_factory=list)

    def ask(self, body: Any, name: str = NAME) -> http.client.HTTPResponse:
        """The answer to a request to the host `name`, once its head is there."""
        connection = http.client.HTTPConnection(name)
        self.opened.append(connection)
        raw = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        connection.sock = self.context.wrap_socket(raw, server_hostname=NAME)
        connection.request("POST", "/v1/chat/completions", json.dumps(body))
        return connection.getresponse()


@contextlib.contextmanager
def nginx(folder: Path, upstream: str, port: int) -> Iterator[None]:
    """The file as an operator has it, with other ports and a certificate of ours, in an nginx of its own."""
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None or shutil.which("openssl") is None:
        pytest.skip("there is no nginx (or no openssl for a certificate): apt-get install nginx openssl")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
         "privkey.pem", "-out", "fullchain.pem", "-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}"],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    site = (FILES / "nginx.conf").read_text()
    for before, after in {
        "listen 443": f"listen 127.0.0.1:{port}", "127.0.0.1:8000": upstream, f"/etc/ssl/{NAME}": str(folder),
    }.items():  # fmt: skip
        assert before in site
        site = site.replace(before, after)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    whole = f"daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;\n"
    whole += f"events {{}}\nhttp {{ access_log off; {places}\n{site}}}\n"
    (folder / "whole.conf").write_text(whole)
    command = [program, "-p", str(folder), "-c", str(folder / "whole.conf"), "-e", str(folder / "error.log")]
    checked = subprocess.run([*command, "-t"], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    assert "[warn]" not in checked.stderr
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            until(lambda: answers(port))
            yield
        finally:
            process.terminate()


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def proxied(folder: Path, backend: Slow) -> Iterator[Proxied]:
    """The operator's name in `hosts`, as the file says."""
    server, port = SearchServer({"qwen": served(backend)}, hosts=[NAME]), free_port()
    context = ssl.create_default_context()
    with listening(server) as url, nginx(folder, url.removeprefix("http://"), port):
        context.load_verify_locations(folder / "fullchain.pem")
        found = Proxied(port, server, context, backend)
        try:
            yield found
        finally:
            for connection in found.opened:
                connection.close()


BEST = {"model": "qwen@best-of-4", "messages": SUM}


@pytest.mark.slow
def test_nginx_hands_requests_on_with_their_host_and_long_bodies(tmp_path: Path) -> None:
    """Another host is refused by the server; two megabytes of conversation are not too much."""
    with proxied(tmp_path, Slow()) as site:
        answer = site.ask(BEST)
        assert answer.status == 200
        assert json.load(answer)["choices"][0]["message"]["content"] == "42"
        assert site.ask(BEST, "evil.example").status == 403
        long = [{"role": "user", "content": "x" * 2_000_000}]
        assert site.ask({**BEST, "messages": long}).status == 200


@pytest.mark.slow
def test_nginx_hands_on_what_a_stream_says_at_once_and_that_a_client_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A comment comes while the model still thinks; who leaves then cancels what is in flight."""
    monkeypatch.setattr(telling, "LONGEST", 0.02)
    backend = Waiting()
    with proxied(tmp_path, backend) as site:
        answer = site.ask({**BEST, "stream": True})
        assert answer.status == 200
        assert answer.readline().startswith(b": ")
        assert site.server.searches.going
        answer.close()
        site.opened.pop().close()
        until(lambda: not site.server.searches.going)
        assert backend.cancelled == 4


# ---------------------------------------------------------------- systemd


@pytest.fixture
def unit() -> configparser.RawConfigParser:
    found = configparser.RawConfigParser(strict=False, interpolation=None)
    found.optionxform = str  # type: ignore[assignment, method-assign]
    found.read(FILES / "searchkit.service")
    return found


def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    """Unknown keys are warnings of its, and faults of ours."""
    if (program := shutil.which("systemd-analyze")) is None:
        pytest.skip("there is no systemd-analyze: apt-get install systemd")
    text, known = (FILES / "searchkit.service").read_text(), "/opt/searchkit/bin/searchkit"
    assert known in text
    copy = tmp_path / "searchkit.service"
    copy.write_text(text.replace(known, sys.executable))
    found = subprocess.run([program, "verify", str(copy)], capture_output=True, text=True)
    assert found.returncode == 0
    assert [line for line in found.stderr.splitlines() if copy.name in line] == []


def test_the_unit_gives_searches_the_time_that_it_promises(unit: configparser.RawConfigParser) -> None:
    """Its command is one of ours; systemd kills later than the server has answered all it had."""
    command = shlex.split(unit["Service"]["ExecStart"])
    options = parser().parse_args(command[1:])
    assert (options.command, options.config) == ("serve", "/etc/searchkit/serve.toml")
    assert int(unit["Service"]["TimeoutStopSec"]) > options.grace + running.LEAVING
    assert unit["Service"]["KillMode"] == "mixed"


# ---------------------------------------------------------------- containers


def instructions() -> list[tuple[str, str]]:
    """Those of the container's file, with their arguments."""
    lines = (FILES / "Containerfile").read_text().replace("\\\n", " ").splitlines()
    told = [line for line in lines if line and not line.startswith("#")]
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in told)]


def built(folder: Path) -> tuple[Path, dict[str, str]]:
    """Runs the file's COPY and RUN lines in an environment of its own: the last WORKDIR, and the variables there.

    Its folders are below `folder`.
    """
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    path = f"{folder / 'venv' / 'bin'}:{os.environ['PATH']}"
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    env |= {"PATH": path, "PIP_NO_COMPILE": "1"}
    here = folder
    for word, rest in instructions():
        if word == "WORKDIR":
            here = folder / rest.lstrip("/")
            here.mkdir(parents=True)
        elif word == "COPY":
            *sources, target = rest.split()
            for source in sources:
                copied(ROOT / source, here / target if target != "./" else here / source)
        elif word == "RUN":
            run = subprocess.run(["sh", "-ec", rest], cwd=here, env=env, capture_output=True, text=True)
            assert run.returncode == 0, f"{rest}: {run.stderr[-2000:]}"
    return here, env


def copied(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    else:
        shutil.copy(source, target)


def of(word: str) -> list[str]:
    """The argument list of the file's only such instruction."""
    [found] = [rest for name, rest in instructions() if name == word]
    return json.loads(found)  # type: ignore[no-any-return]


@pytest.mark.slow
def test_the_containers_commands_make_a_server_that_answers_and_stops(tmp_path: Path) -> None:
    """Its health check passes, its command serves who has a key, and STOPSIGNAL ends it."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--dest",
        str(tmp_path / "probe"),
        "h11",
    ]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("there is no package index to install from")
    here, env = built(tmp_path)
    port, key = free_port(), new_key()
    (here / "serve.toml").write_text(
        '[backends.a]\nmodel = "countdown"\n[models.countdown]\nbackend = "a"\n'
        f'[server]\naccounts = "state/accounts.db"\n[keys.alice]\ndigest = "{digest_of(key)}"\n'
    )
    whole = [*of("ENTRYPOINT"), *of("CMD"), "--port", str(port)]
    [sent] = [rest for name, rest in instructions() if name == "STOPSIGNAL"]
    health = dict(instructions())["HEALTHCHECK"].removeprefix("CMD ").replace("8000", str(port))
    with subprocess.Popen(whole, cwd=here, env=env, stderr=subprocess.PIPE, text=True) as program:
        try:
            assert program.stderr is not None
            line = program.stderr.readline()
            assert "listens" in line, line + program.stderr.read()
            subprocess.run(json.loads(health), env=env, check=True, timeout=60)
            body = {"model": "countdown", "messages": [{"role": "user", "content": "4 13 16 19>51"}]}
            asked = urllib.request.Request(
                f"http://127.0.0.1:{port}/v1/chat/completions", json.dumps(body).encode(), {"x-api-key": key}
            )
            with urllib.request.urlopen(asked, timeout=60) as answer:
                assert json.load(answer)["choices"]
            assert (here / "state" / "accounts.db").exists()
            program.send_signal(getattr(signal, sent))
            assert program.wait(60) == 0
        finally:
            program.kill()
