"""Pages as a browser reads them."""

from __future__ import annotations

import json
from html.parser import HTMLParser


class Page(HTMLParser):
    """What a browser would make of a page: elements with attributes, and the text inside scripts and styles."""

    def __init__(self, text):
        super().__init__()
        self.text = text
        self.elements, self.inside, self._open = [], [], None
        self.feed(self.text)
        self.close()

    @classmethod
    def of(cls, path):
        return cls(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._open = tag
        if tag in ("script", "style"):
            self.inside.append([tag, dict(attrs), ""])

    def handle_data(self, data):
        if self._open in ("script", "style"):
            self.inside[-1][2] += data

    def handle_endtag(self, tag):
        self._open = None

    def parts(self, tag):
        return [(attrs, words) for name, attrs, words in self.inside if name == tag]

    @property
    def data(self):
        [words] = [words for attrs, words in self.parts("script") if attrs.get("id") == "data"]
        return json.loads(words)
