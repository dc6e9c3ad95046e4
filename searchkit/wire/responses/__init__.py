"""OpenAI's responses: `requests.py`, `items.py` (a conversation as its items), `answers.py`, `events.py`."""
