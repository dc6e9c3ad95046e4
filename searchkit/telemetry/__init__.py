"""Searches as OpenTelemetry spans, for the tools that a house watches its services with.

`otel.py` first: the listener that makes a span of OpenTelemetry of every span of the trace. `attributes.py` says what
stands on one, by the conventions for generative AI, and `content.py` what was asked and answered, where that is wanted.
"""

from searchkit.telemetry.otel import OpenTelemetry

__all__ = ["OpenTelemetry"]
