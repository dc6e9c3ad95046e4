"""What of a sample a judge is shown: its text, and the images that it is made of or that its message has."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from searchkit.types import Image, Message, Prompt, Sample, Text
from searchkit.verifiers.judges.asking import LONGEST, TOO_LONG

MOST_IMAGES = 16  # of one answer
LONGEST_IMAGES = 20_000_000  # characters of their URLs, together
LONGEST_URL = 8_000  # characters of one that is no data:

# A name with a dot whose last part is no number: an address, in any of its spellings, is none, nor a host of the own
# network. What such a name resolves to is not seen from here.
_NAME = r"(?:[a-z0-9_-]{1,63}\.){1,20}[a-z][a-z0-9-]{1,62}\.?"
_PUBLIC = re.compile(rf"https://({_NAME})(?::443)?(?:[/?#][!-~]*)?", re.IGNORECASE | re.ASCII)
_INLINE = re.compile(r"data:image/", re.IGNORECASE)
_OWN = ("localhost", "localdomain", "local", "internal", "intranet", "lan", "home", "corp", "private", "arpa", "test")


@dataclass(frozen=True)
class Answer:
    """A sample as a judge sees it; two that look alike are equal."""

    text: str
    images: tuple[Image, ...] = ()

    @classmethod
    def of(cls, sample: Sample[Any]) -> Answer:
        """An agent may return an `Image` or a `Message` with some; a model's are in its message."""
        value = sample.value
        if isinstance(value, Image):
            return cls("", (value,))
        message = value if isinstance(value, Message) else sample.message
        parts = () if message is None else message.parts
        text = value.text if isinstance(value, Message) else sample.text
        return cls(text, tuple(part for part in parts if isinstance(part, Image)))

    @property
    def refused(self) -> str:
        """Why it is not judged; "" if it is.

        An answer is not trusted: a server is not made to fetch what is no image, or what lies on its own disk or
        network, as far as the URL tells.
        """
        if len(self.text) > LONGEST:
            return TOO_LONG
        if len(self.images) > MOST_IMAGES or sum(len(image.url) for image in self.images) > LONGEST_IMAGES:
            return f"an answer of over {MOST_IMAGES} images, or {LONGEST_IMAGES:,} characters of them, is not judged"
        if not all(_is_fetched(image.url) for image in self.images):
            return "an answer with an image that is neither data:image/ nor at a public https: name is not judged"
        return ""


def _is_fetched(url: str) -> bool:
    """Whether a judge's server may be given it."""
    if _INLINE.match(url):
        return True
    found = _PUBLIC.fullmatch(url) if len(url) <= LONGEST_URL and "\\" not in url else None
    return found is not None and found[1].rstrip(".").rpartition(".")[2].lower() not in _OWN


def pictured(question: Prompt, answers: Sequence[tuple[str, Answer]]) -> Prompt:
    """`question`, whose last user message is the judge's wording, with the images of `answers` before that, named.

    Before it, so that what differs between the questions about one answer stands at the end. A question about answers
    without images stays as it is.
    """
    added = list[Text | Image]()
    for name, answer in answers:
        for number, image in enumerate(answer.images, start=1):
            added += [Text(f"Image {number} of {name}:\n"), image, Text("\n\n")]
    if not added:
        return question
    at = max(i for i, message in enumerate(question.messages) if message.role == "user")
    *before, wording = question.messages[at].parts
    asked = replace(question.messages[at], parts=(*before, *added, wording))
    return replace(question, messages=(*question.messages[:at], asked, *question.messages[at + 1 :]))
