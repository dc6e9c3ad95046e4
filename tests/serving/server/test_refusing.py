"""What clients and logs are told of a search that failed: what they can act on, and nothing of where or what else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from searchkit.calls import CallError
from searchkit.errors import ConfigError, JournalError, VerifierError
from searchkit.serving.server import SearchServer
from searchkit.serving.server.refusing import refusal_of
from tests.helpers.serving import Slow, listening, served
from tests.serving.server.test_guarding import ASK, asked

KINDS = {"rate_limit": 503, "server": 502, "timeout": 504, "connection": 502, "malformed": 502, "auth": 502,
         "quota": 503, "failed": 502, "bad_request": 400}  # fmt: skip
INSIDE = "http://10.0.0.7:9000/v1?token=inside"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stream", [False, True])
def test_a_failure_of_the_models_server_has_a_status_and_no_address(kind: str, stream: bool) -> None:
    """Nor what that server said, but where it refuses what the client wrote; the log has its kind."""

    def fail(_: Any) -> str:
        raise CallError(f"the server at {INSIDE} said: prompt too long", kind=kind, retry_after=3)

    log = list[Any]()
    with listening(SearchServer({"qwen": served(Slow(fail))}, log=log.append)) as url:
        for name in ("qwen", "qwen@vote", "qwen@best-of-4"):
            status, said, headers = asked(url, {}, {**ASK, "model": name, "stream": stream})
            assert (status, headers["retry-after"]) == (KINDS[kind], "3")
            assert "inside" not in said
            assert "10.0.0.7" not in said
            assert ("prompt too long" in said) == (kind == "bad_request")
            assert json.loads(said)["error"]["message"]
    assert all(kind in one["failure"] for one in log)
    assert "inside" not in json.dumps(log)
    assert "too long" not in json.dumps(log)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (JournalError("/home/ann/run.db is locked"), 500),
        (VerifierError(f"the judge at {INSIDE} said nothing"), 502),
        (ConfigError(f"{INSIDE} takes no images"), 400),
        (RuntimeError("/home/ann and what was said"), 500),
    ],
    ids=lambda value: type(value).__name__,
)
def test_no_refusal_says_where_things_are(error: Exception, status: int) -> None:
    """Neither paths nor addresses."""
    refusal = refusal_of(error)
    assert refusal.status == status
    assert not any(secret in refusal.message for secret in ("ann", "inside", "10.0.0.7"))
