"""Secrets are hidden wherever they stand in a text, and nothing else is."""

from __future__ import annotations

import pytest

from searchkit.redact import redact

OWN, ENVIRONMENT = "sk-own-longer", "sk-own"


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", ENVIRONMENT)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no secret, https://host/v1?n=3&key=", "no secret, https://host/v1?n=3&key="),
        ("Incorrect API key provided: sk-own.", "Incorrect API key provided: [api key]."),
        ("sk-own-longer and sk-own", "[api key] and [api key]"),
        ("https://me:sk-pass@host/v1", "https://[redacted]@host/v1"),
        ("https://me:sk-own/x@host", "https://me:[api key]/x@host"),
        ("https://me:sk-own-and-more@host", "https://[redacted]@host"),
        ("?n=3&api_key=sk-query&m=4", "?n=3&api_key=[redacted]&m=4"),
        ("?Access_Token=sk-own-and-more", "?Access_Token=[redacted]"),
        ("{'Authorization': 'Bearer sk-other'}", "{'Authorization': 'Bearer [redacted]'}"),
        ("Bearer sk-own-longer-and-more, or not", "Bearer [redacted] or not"),
    ],
)
def test_what_is_shown(text, shown):
    """Both keys, the one that begins with the other too, and credentials that nobody told us; each row by hand."""
    assert redact(text, OWN) == shown


def test_a_key_may_have_any_characters(monkeypatch):
    """Those of patterns too; and an empty key hides nothing."""
    monkeypatch.setenv("OPENAI_API_KEY", r"a.*\1[")
    assert redact(r"abc a.*\1[ abc", "") == "abc [api key] abc"
    monkeypatch.delenv("OPENAI_API_KEY")
    assert redact("abc") == redact("abc", "") == "abc"
