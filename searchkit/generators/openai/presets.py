"""What to pass for servers that refuse a part of what is sent to all, by name. As of November 2026.

Each row follows the server's own documentation, and the words in which it refuses the rest, as users reported them;
`tests/generators/openai/test_presets.py` has a loopback server for each that refuses all else. What a row leaves out is
not asked for any more: see the guide's page on generators for what follows from that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Preset:
    """The options of `OpenAI` of the same names."""

    leave_out: tuple[str, ...] = ()
    rename: Mapping[str, str] = field(default_factory=dict)
    extras: bool = False


PRESETS: Mapping[str, Preset] = {
    # o1, o3, o4-mini, GPT-5: sampling is theirs; a limit counts the thoughts, too, and has another name.
    "openai-reasoning": Preset(("temperature", "top_p", "stop"), {"max_tokens": "max_completion_tokens"}),
    # https://api.anthropic.com/v1: temperature or top_p, not both; a seed is ignored, and refused by some proxies.
    "claude": Preset(("top_p", "seed")),
    # https://generativelanguage.googleapis.com/v1beta/openai: no seed.
    "gemini": Preset(("seed",)),
    # Text Generation Inference: top_p < 1.
    "tgi": Preset(("top_p",)),
    # `transformers serve`: versions before 5 refuse a stop; none has n, log-probabilities or max_completion_tokens.
    "transformers-serve": Preset(("stop", "stream_options")),
    # https://api.mistral.ai/v1: a seed by another name.
    "mistral": Preset((), {"seed": "random_seed"}),
    # https://api.deepseek.com, .../beta for continued turns: no seed.
    "deepseek": Preset(("seed",)),
}
