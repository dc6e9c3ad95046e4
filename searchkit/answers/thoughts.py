"""What of a reply is its answer's text: without thoughts, without the tokens that end it, without what runs on."""

from __future__ import annotations

import re

_NAMES = "think|thinking|thoughts?|reason|reasoning|reflection|analysis|scratchpad|inner_monologue|seed:think"
_TAG = re.compile(
    rf"<(?P<xml>/?)(?:{_NAMES})(?:\s[^<>]{{0,80}})?>|\[(?P<square>/?)think\]|◁(?P<kimi>/?)think▷"
    r"|<\|(?P<bar>/?)(?:think|thinking)\|>|<\|(?P<token>begin|start|end)_(?:of_)?(?:thought|think|thinking|reasoning)\|>",
    re.IGNORECASE,
)
_TAG_HINTS = ("<", "◁", "[THINK]", "[/THINK]", "[think]", "[/think]")  # looked for first: most texts have none
_CHANNEL = re.compile(r"<\|channel\|>\s*(\w+)[^<\n]{0,80}<\|message\|>")
_MESSAGE_ENDS = re.compile(r"<\|(?:channel|start|end|return|call)\|>")
_OPENED = re.compile(r"<[|｜](?:begin|start)[\w▁]{0,40}[|｜]>|<(?:bos|s)>", re.IGNORECASE)
_ENDED = re.compile(r"<[|｜]/?[A-Za-z][\w▁]{2,40}[|｜]>|</s>|<(?:eos|end_of_turn|EOT|\|EOT\|)>|\[(?:EOS|/INST)\]")
_STRUCK = re.compile(r"~~[^~\n]{1,200}~~")
_TURN_HINTS = (
    "question", "problem", "exerci", "example", "q:", "human", "user", "instruction", "input", "frage", "aufgabe",
    "pregunta", "вопрос", "задача", "问题", "题", "問題", "質問", "q1", "q2",
)  # fmt: skip
_ANSWERED = re.compile(
    r"####|\\boxed|\\fbox|\banswer\b|</answer>|答案|答え|ответ|réponse|antwort|respuesta", re.IGNORECASE
)
_NEXT_TURN = re.compile(
    r"^[ \t]*(?:[#>*_]+[ \t]*)?(?:question|problem|exercise|example|q|human|user|instruction|input|"
    r"frage|aufgabe|pregunta|problema|exercice|вопрос|задача|问题|题目|例题|問題|質問)"
    r"(?:[ \t]*(?:\([0-9]{1,4}\)|[0-9]{1,4})?[*_]*[ \t]*[:：]|[ \t]*[0-9]{1,4}[*_]*[ \t]*(?:$|[.)](?=[ \t\n])))",
    re.IGNORECASE | re.MULTILINE,
)


def without_thoughts(text: str) -> str:
    """`text` without its thoughts, whatever the tags: unclosed ones too, and ones that were opened in the prompt."""
    if "<|channel|>" in text:
        text = _final_channel(text)
    if not any(hint in text for hint in _TAG_HINTS):
        return text
    kept: list[str] = []
    start, thinking = 0, False
    for tag in _TAG.finditer(text):
        if _closes(tag):
            if not thinking:
                kept.clear()  # the opening tag stood in the prompt: all before this was thought
            start, thinking = tag.end(), False
        elif not thinking:
            kept.append(text[start : tag.start()])
            thinking = True
    return "".join(kept) + ("" if thinking else text[start:])


def reply(text: str) -> str:
    """`text` without thoughts, up to its end token and up to the next question that a base model makes up."""
    text = without_thoughts(text)
    if "~~" in text:
        text = _STRUCK.sub(" ", text)
    if "<" in text or "[EOS]" in text or "[/INST]" in text:
        text = _OPENED.sub("\n", text)
        end = next((token for token in _ENDED.finditer(text) if text[: token.start()].strip()), None)
        text = text if end is None else text[: end.start()]
    return _without_run_on(text)


def _closes(tag: re.Match[str]) -> bool:
    return "/" in (tag["xml"], tag["square"], tag["kimi"], tag["bar"]) or (tag["token"] or "").lower() == "end"


def _final_channel(text: str) -> str:
    """What a reply in channels says in the final one; nothing where it was cut off before."""
    found = [channel for channel in _CHANNEL.finditer(text) if channel[1].lower() == "final"]
    if not found:
        return ""
    begin = found[-1].end()
    end = _MESSAGE_ENDS.search(text, begin)
    return text[begin : end.start() if end else len(text)]


def _without_run_on(text: str) -> str:
    """Up to the first next question behind an answer. A question in front of all answers is the one that was asked."""
    lowered = text.casefold()
    if not any(hint in lowered for hint in _TURN_HINTS):
        return text
    first = None
    for turn in _NEXT_TURN.finditer(text):
        if first is None:
            found = _ANSWERED.search(text)
            if found is None:
                return text
            first = found.end()
        if turn.start() > first:
            return text[: turn.start()]
    return text
