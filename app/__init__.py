"""Mindgate: one OpenAI-compatible `/v1` for 4minds, Minds, OpenMind and whatever speaks like them."""
