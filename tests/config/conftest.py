"""Each test reads from an empty folder of its own: a developer's config/mindgate.yaml and .env stay out."""

import pytest


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path
