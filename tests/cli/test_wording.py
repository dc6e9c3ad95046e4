"""Advice in the words of the command line."""

# ruff: noqa: E501 (tables: a row is a line)
from __future__ import annotations

from typing import Any

import pytest

from searchkit.cli import main, parser
from searchkit.cli.wording import in_toml, worded
from searchkit.generators.openai.presets import PRESETS
from tests.attacks.hostile import Hostile, http

SAID = [
    ("pass leave_out=('seed',)", "pass --leave-out seed"),
    ("leave_out=('min_p', 'top_k') says it", "--leave-out min_p --leave-out top_k says it"),
    ("use leave_out='seed'", "use --leave-out seed"),
    ('rename={"max_tokens": "max_completion_tokens"}', "--rename max_tokens=max_completion_tokens"),
    ("(leave_out=, rename= and extra_body= change it; preset= too)", "(--leave-out, --rename and --extra-body change it; --preset too)"),
    ("take x out of extra_body=", "take x out of --extra-body"),
    ("use base_url='http://h/v1', if", "use --backend 'http://h/v1', if"),
    ("which is not followed: is base_url right?", "which is not followed: is --backend right?"),
    ('want extra_query={"api-version": ...}: no', "want --extra-query api-version=...: no"),
    ('pass extra_body={"a": {"b": False}}, or', """pass --extra-body 'a={"b": false}', or"""),
    ('pass extra_headers={"x": "y"}', "pass --extra-header x=y"),
    ("pass them as extra_query={...}", "pass them as --extra-query NAME=..."),
    ("pass api_key= or set OPENAI_API_KEY", "set the variable OPENAI_API_KEY"),
    ("nothing to say", "nothing to say"),
    ("", ""),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said"), SAID)
def test_sentences(text: str, said: str) -> None:
    assert worded(text) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("pass leave_out=('seed',)", 'pass leave_out = ["seed"]'),
        ("leave_out=('min_p', 'top_k') says it", 'leave_out = ["min_p", "top_k"] says it'),
        ('rename={"max_tokens": "max_completion_tokens"}', 'rename = {max_tokens = "max_completion_tokens"}'),
        ("(leave_out=, rename= and extra_body= change it)", "(leave_out, rename and extra_body change it)"),
        ("use base_url='http://h/v1', if", "use backend = 'http://h/v1', if"),
        ("does the server's base_url end in /v1?", "does the server's backend end in /v1?"),
        ('want extra_query={"api-version": ...}: no', "want extra_query = {api-version = ...}: no"),
        ('pass extra_body={"a": {"b c": False}}, or', 'pass extra_body = {a = {"b c" = false}}, or'),
        ("pass them as extra_query={...}", "pass them as extra_query = {NAME = ...}"),
        (
            "Exact needs a reference: pass Problem(id, prompt, reference=...) or Exact(reference=...)",
            'Exact needs a reference: name the field that has it, as in reference = "answer", or Exact(reference=...)',
        ),
        ("or pass checksum=None if", 'or pass checksum = "any" if'),
        ("nothing to say", "nothing to say"),
    ],
)
def test_sentences_in_a_file(text: str, said: str) -> None:
    assert in_toml(text) == said


@pytest.mark.parametrize(
    ("status", "message", "advice"),
    [
        ("400 Bad Request", "parameter 'seed' is not supported", "--leave-out seed"),
        (
            "400 Bad Request",
            "Use 'max_completion_tokens' instead: 'max_tokens' is not supported",
            "--rename max_tokens=",
        ),
        ("401 Unauthorized", "who are you?", "OPENAI_API_KEY"),
    ],
)
def test_what_is_advised_is_taken(
    status: str, message: str, advice: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole way, and no argument of Python in it."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with Hostile(http({"error": {"message": message}}, status)) as server:
        options = [
            "--backend",
            server.url,
            "--model",
            "m",
            "--strategy",
            "self-consistency",
            "-p",
            "n=1",
            "--max-tokens",
            "5",
        ]
        assert main(["solve", "q", *options]) == 1
    said = capsys.readouterr().err
    assert advice in said
    assert "leave_out=" not in said
    assert "api_key=" not in said


def test_the_help_names_what_can_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(["solve", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert all(name in said.replace("- ", "-") for name in PRESETS)
    assert "--revision" in said
    with pytest.raises(SystemExit):
        parser().parse_args(["--help"])
    assert "exit codes" in capsys.readouterr().out


@pytest.mark.parametrize(
    "said", ['extra_body={"a": open("x")}', "extra_query={a}", "extra_headers={1: 2, {}}", "extra_body={*a}"]
)
@pytest.mark.parametrize("as_said", [worded, in_toml])
def test_what_is_no_table_of_literals_is_left(said: str, as_said: Any) -> None:
    """A server's words may stand in a sentence: they are read, never evaluated."""
    assert said.partition("=")[2] in as_said(f"it said {said}")
