"""Anthropic's messages: `requests.py`, `turns.py` (a conversation as its blocks), `answers.py`, `events.py`."""
