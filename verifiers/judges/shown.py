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
SHOWN_IMAGES = re.compile(r"https://|data:image/", re.IGNORECASE)


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

        An answer is not trusted: a server is not made to fetch what is no image, or what lies on its own disk.
        """
        if len(self.text) > LONGEST:
            return TOO_LONG
        if len(self.images) > MOST_IMAGES or sum(len(image.url) for image in self.images) > LONGEST_IMAGES:
            return f"an answer of over {MOST_IMAGES} images, or {LONGEST_IMAGES:,} characters of them, is not judged"
        if not all(SHOWN_IMAGES.match(image.url) for image in self.images):
            return "an answer with an image that is neither https: nor data:image/ is not judged"
        return ""


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
