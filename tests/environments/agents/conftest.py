"""What these tests leave open is collected here."""

from __future__ import annotations

from tests.helpers.collected import collected

__all__ = ["collected"]
