"""OpenAI's chat completions: `requests.py`, `turns.py` (messages), `answers.py`, `events.py`."""
