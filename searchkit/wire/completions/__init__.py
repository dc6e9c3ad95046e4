"""OpenAI's completions of plain text: `requests.py`, `answers.py`, `events.py`."""
