"""What a child process is given: the attempt's own URL and key, and none of ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from searchkit.agents import Endpoint
from tests.helpers.attempts import KEY, attempt, calls
from tests.helpers.model_server import ModelServer
from tests.helpers.servers import until

GIVEN = Endpoint("http://127.0.0.1:1/r/t/v1", "http://127.0.0.1:1/r/t", "sk-own", ("sk-upstream-1", "sk-up"))
SECRETS = [
    "OPENAI_API_KEY", "OPENAI_KEY", "OPENAI_APIKEY", "OPENAI_API_KEYS", "OPENAI_API_KEY_2", "AZURE_OPENAI_KEY",
    "ANTHROPIC_AUTH_TOKEN", "HF_TOKEN", "HUGGINGFACEHUB_API_TOKEN", "GITHUB_TOKEN", "GH_PAT", "AWS_SECRET_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN", "GOOGLE_APPLICATION_CREDENTIALS", "GEMINI_API_KEY", "DB_PASSWORD",
    "PGPASSWORD", "CLIENT_SECRET", "NPM_TOKEN", "key", "openai_api_key", "MY_TOKENS", "TOKEN", "SECRET_KEY_BASE",
    "SLACK_BOT_TOKEN_1", "MISTRAL_API_KEY1", "TOGETHERAPIKEY", "SSH_PASSPHRASE", "OPENAI_KEY_PROD", "OPENAIKEY",
    "COHEREKEY", "MISTRAL_KEY_EU", "OPENROUTER_KEY_TEAM", "OPENAI_AUTH", "AUTHORIZATION", "ANTHROPIC_CUSTOM_HEADERS",
    "MYSQL_PWD", "DB_PASS", "REDISPASS", "openAiKey", "OpenAIKey", "azureApiKeyWest", "my-secret-x", "a.token.b",
    "HTTP_COOKIE", "AUTH_HEADER", "SESSION_ID", "BEARER", "X_SIGNATURE", "PRIVATE_KEY_PEM", "SIGNING_KEYS", "GH_JWT",
    "TWILIO_AUTH", "OAUTH", "SENTRY_DSN", "APIKEYS", "KEY_OPENAI", "GROQ_KEY_2024", "API_KEY_FILE_CONTENT", "CREDS",
    "AZURE_STORAGE_SAS", "STORAGE_ACCESSKEY", "DBPWD", "authToken", "XAI_KEYS_ALL", "SMTP_PASS_2", "MY_CRED",
]  # fmt: skip
PLAIN = [
    "PATH", "HOME", "LANG", "TOKENIZERS_PARALLELISM", "MONKEY", "KEYBOARD", "SSH_AUTH_SOCK", "PYTHONPATH", "TERM",
    "COMPATIBILITY", "SECRETARY", "PATTERN", "KEYRING_BACKEND", "PASSWORDLESS", "PWD", "OLDPWD", "TERM_SESSION_ID",
    "XDG_SESSION_TYPE", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "DESKTOP_SESSION", "KEYBOARD_LAYOUT",
    "MONKEY_PATCH", "COMPASS", "BYPASS_CACHE", "KEYCLOAK_URL", "AUTHOR", "GIT_AUTHOR_NAME", "PASSENGERS", "TURKEY",
    "SHELL", "USER", "LC_ALL", "CUDA_VISIBLE_DEVICES", "HF_HOME", "TOKENIZER", "OMP_NUM_THREADS", "MAX_SESSIONLESS",
]  # fmt: skip


@pytest.mark.parametrize("name", SECRETS)
def test_names_of_secrets_are_left_out(name: str) -> None:
    found = GIVEN.environment({name: "value-of-a-secret", "CONFIG": '{"k": "value-of-a-secret"}', "LANG": "C"})
    assert "value-of-a-secret" not in json.dumps(found)
    assert found["LANG"] == "C"


@pytest.mark.parametrize("name", PLAIN)
def test_other_names_are_kept(name: str) -> None:
    assert GIVEN.environment({name: "a-plain-value"})[name] == "a-plain-value"


LOOKS = [
    "sk-proj-4kfj29dkslqpwoeiru", "ghp_16C7e42F292c6912E7710c838347Ae178B4a", "github_pat_11AAAAAAA0aaaaaaaaaaaa",
    "hf_AbCdEfGhIjKlMnOpQrStUv", "AKIAIOSFODNN7EXAMPLE", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc",
    "xoxb-123456789012-abcdef", "AIzaSyA-1234567890abcdefghijklmnopqrstu", "gsk_abcdefghij0123456789",
    "postgres://me:hunter2@db.local/x", "redis://:hunter2@cache:6379/0", "https://user:pw@proxy:3128",
    "https://0123456789abcdef0123@o1.ingest.example/2", "Server=db;User=me;Password=hunter2;",
    "Bearer abcdef0123456789",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIE",
    "curl -H 'Authorization: Bearer abc.def-012345'",
    "x=1 key=sk-ant-api03-abcdef",
    "DefaultEndpointsProtocol=https;AccountKey=abc==", "glpat-abcdefghij0123456789", "sk_live_abcdefghijklmno",
]  # fmt: skip
HARMLESS = [
    "/usr/bin:/bin:/opt/sk-learn-env-2024-01/bin", "https://host/path?x=1", "http://127.0.0.1:8080/a@b",
    "git@github.com:a/b",
    "task-0123456789abcdef", "ssh://git@host/x", "C.UTF-8", "1.2.3", "unix:path=/run/user/0/bus", "a:b@c", "",
]  # fmt: skip


@pytest.mark.parametrize("value", LOOKS)
def test_what_looks_like_a_secret_is_left_out_whatever_its_name(value: str) -> None:
    assert "SETTING" not in GIVEN.environment({"SETTING": value, "LANG": "C"})


@pytest.mark.parametrize("value", HARMLESS)
def test_other_values_are_kept(value: str) -> None:
    assert GIVEN.environment({"SETTING": value})["SETTING"] == value


def test_paths_are_kept_where_a_name_may_mean_them(tmp_path: Path) -> None:
    for name in ("AUTH_DIR", "PRIVATE_FOLDER", "SESSION_FILE"):
        assert GIVEN.environment({name: str(tmp_path)})[name] == str(tmp_path)


def test_a_long_value_takes_linear_time() -> None:
    for value in (
        "://" * 30_000,
        "sk-" * 30_000,
        "eyJ" * 30_000,
        "password" * 12_000,
        "://" + "a" * 99_000,
        ":" * 99_999,
    ):
        GIVEN.environment({"SETTING": value})


def test_values_of_ours_are_left_out_wherever_they_stand() -> None:
    found = GIVEN.environment(
        {
            "A": "sk-upstream-1",
            "B": "Authorization: Bearer sk-upstream-1",
            "C": "https://user:sk-upstream-1@host/",
            "OPENAI_API_KEY": "sk-mine-12345",
            "D": "x=sk-mine-12345;y",
            "E": "sk-mine",
            "F": "sk-upward",  # begins with a key of ours that is too short to look for
        }
    )
    assert {name for name in "ABCDEF" if name in found} == {"E", "F"}


def test_the_path_of_a_file_of_credentials_is_no_secret(tmp_path: Path) -> None:
    """Else all that stands in the same folder would be left out with it."""
    folder = str(tmp_path)
    found = GIVEN.environment({"SECRETS_DIR": folder, "MY_TOKEN": folder, "PATH": f"/bin:{folder}/bin"})
    assert found["PATH"] == f"/bin:{folder}/bin"
    assert "MY_TOKEN" not in found


def test_what_sdks_read_is_the_attempts_own() -> None:
    before = {"OPENAI_BASE_URL": "http://elsewhere", "ANTHROPIC_API_KEY": "sk-real-00", "NO_PROXY": "a,b", "X": "1"}
    found = GIVEN.environment(before)
    assert found["OPENAI_BASE_URL"] == found["OPENAI_API_BASE"] == GIVEN.base_url
    assert found["ANTHROPIC_BASE_URL"] == GIVEN.anthropic_url
    assert found["OPENAI_API_KEY"] == found["ANTHROPIC_API_KEY"] == "sk-own"
    assert found["NO_PROXY"] == found["no_proxy"] == "a,b,127.0.0.1"
    assert before["NO_PROXY"] == "a,b"  # what was given stays as it is


def test_the_key_is_not_shown() -> None:
    assert "sk-own" not in repr(GIVEN)
    assert "sk-up" not in repr(GIVEN)


# ---------------------------------------------------------------- real child processes

CHILD = """
import json, os, sys, urllib.request
import anthropic, openai
words = [openai.OpenAI().chat.completions.create(
    model="m", messages=[{"role": "user", "content": "hi"}], max_tokens=9).choices[0].message.content]
words.append(anthropic.Anthropic().messages.create(
    model="m", messages=[{"role": "user", "content": "hi"}], max_tokens=9).content[0].text)
print(json.dumps([words, dict(os.environ)]))
"""


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


@pytest.mark.slow
def test_unchanged_programs_find_their_endpoint(server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-environment")
    monkeypatch.setenv("SETTINGS", f"key={KEY}")

    def agent(endpoint: Endpoint) -> Any:
        given = endpoint.environment({**os.environ, "HTTP_PROXY": "http://127.0.0.1:9"})  # where nobody listens
        child = [sys.executable, "-c", CHILD]
        return json.loads(subprocess.run(child, env=given, capture_output=True, check=True).stdout)

    result = attempt(server, agent, 2)
    words, environment = json.loads(result.answer)
    assert all(words)
    assert KEY not in json.dumps(environment)
    assert "sk-of-the-environment" not in json.dumps(environment)
    assert server.calls == result.usage.model_calls == len(calls(result.trace)) == 4
    assert result.usage.generated_tokens == server.generated_tokens


LINGERING = """
import json, os, sys, time, urllib.error, urllib.request
def ask():
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": sys.argv[1]}], "max_tokens": 9})
    try:
        return urllib.request.urlopen(os.environ["OPENAI_BASE_URL"] + "/chat/completions", body.encode()).status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0
print(ask(), flush=True)
sys.stdin.read()
print(ask(), flush=True)
"""


def test_a_child_process_that_outlives_its_search() -> None:
    """Its call in flight is cut off, and later there is nobody to call."""
    with ModelServer(60.0, slow="slowly") as server:
        children = list[subprocess.Popen[str]]()

        def agent(endpoint: Endpoint) -> None:
            child = [sys.executable, "-c", LINGERING, "slowly"]
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
            children.append(subprocess.Popen(child, env=endpoint.environment(), text=True, **pipes))  # type: ignore[call-overload]
            until(lambda: server.in_flight == 1)

        result = attempt(server, agent)
        until(lambda: server.in_flight == 0)
        out, _ = children[0].communicate("")
        assert out.split() in (["410", "0"], ["0", "0"])
        assert server.calls == server.aborted == 1
        assert len(calls(result.trace)) == 1
        assert result.usage.model_calls == 1
