"""Sphinx: Markdown pages by MyST, the reference by autodoc. Build with `sphinx-build -W docs <somewhere>`."""

from __future__ import annotations

import re
from importlib.metadata import version as installed

project = "searchkit"
author = "the searchkit authors"
version = release = installed("searchkit")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.viewcode"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"searchkit {release}"

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

autodoc_default_options = {"members": True, "show-inheritance": True, "member-order": "bysource"}
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
autodoc_mock_imports = ["torch", "transformers", "safetensors", "onnx"]


def _as_markup(app, what, name, obj, options, lines):
    """Docstrings are plain English with `names` in backticks: shown as code; a paragraph with a tree is a block."""
    paragraphs = "\n".join(lines).split("\n\n")
    lines[:] = "\n\n".join(_block(p) if "|-- " in p else _code(p) for p in paragraphs).split("\n")


def _code(paragraph):
    def literal(match):
        return f"``{' '.join(match[1].strip('`').split())}``" + ("\\ " if match[2] else "")

    return re.sub(r"(``[^`]+``|(?<!:)`[^`]+`)(?=(\w?))", literal, paragraph)


def _block(paragraph):
    return "::\n\n" + "\n".join("    " + line for line in paragraph.split("\n"))


def setup(app):
    app.connect("autodoc-process-docstring", _as_markup)
