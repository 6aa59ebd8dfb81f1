"""OpenAI's wire format without I/O: requests, answers, streams, errors."""
