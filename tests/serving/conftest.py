"""What these tests share."""

from __future__ import annotations

from tests.helpers.collected import collected

__all__ = ["collected"]
