"""Metrics and logs: each name declared once."""
