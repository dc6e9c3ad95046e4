"""Frameworks: searches as parts of other programs' frameworks, where an adapter is needed.

Most need none: their agents are wrapped as they are, and call their models through the doors of `searchkit.agents`.
`inspect_ai.py` makes a search a solver of inspect_ai, or a model for it to evaluate. Each file needs its framework.
"""

__all__: list[str] = []
