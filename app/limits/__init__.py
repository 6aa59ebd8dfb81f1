"""Admit before, settle after: requests, tokens, concurrency, budgets."""
