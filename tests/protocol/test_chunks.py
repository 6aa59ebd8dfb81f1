"""
What most chunks are noted by, in one go, is what the single questions would have said (contract I1 to I10, I14).
"""

import copy
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from app.protocol.chunk_members import Chunk
from app.protocol.chunks import (
    StreamProgress,
    is_late,
    may_leave,
    note,
    note_if_plain,
    read_chunk,
)
from tests.protocol.streams import FIRST, STOP, chunk, usage_chunk

TOOLS = [{"index": 0, "id": "t1", "type": "function", "function": {"name": "f", "arguments": ""}}]

DELTAS = st.fixed_dictionaries(
    {},
    optional={
        "role": st.sampled_from(["assistant", "user", None]),
        "content": st.sampled_from(["", "a", "wörld", None]),
        "refusal": st.sampled_from(["", "no", None, 7]),
        "reasoning_content": st.sampled_from(["", "so", None]),
        "tool_calls": st.sampled_from([None, [], TOOLS]),
    },
)
CHOICES = st.fixed_dictionaries(
    {"index": st.sampled_from([0, 0, 0, 1, -1, 255, 256]), "delta": DELTAS},
    optional={
        "finish_reason": st.sampled_from([None, "stop", "length", "", "error"]),
        "message": st.none(),
    },
)
CHUNKS = st.fixed_dictionaries(
    {
        "id": st.sampled_from(["c1"] * 8 + ["c2", ""]),
        "object": st.sampled_from(["chat.completion.chunk"] * 8 + ["chat.completion", ""]),
        "created": st.just(1),
        "model": st.sampled_from(["m"] * 8 + [""]),
        "choices": st.lists(CHOICES, min_size=1, max_size=1) | st.lists(CHOICES, max_size=2),
    },
    optional={
        "usage": st.sampled_from([None, {"prompt_tokens": 1}]),
        "error": st.none(),
    },
)


def read(value: Any) -> Chunk:
    found = read_chunk(msgspec.json.encode(value))
    assert found is not None
    return found


@settings(deadline=None, max_examples=400)  # a busy machine is no failure
@given(st.lists(CHUNKS, max_size=8), st.booleans())
def test_a_plain_chunk_is_canonical_and_noted_as_any_other(values, include_usage):
    said = StreamProgress()

    for value in values:
        found, before = read(value), copy.deepcopy(said)
        is_good = not is_late(found, said) and may_leave(found, said, include_usage=include_usage)

        if note_if_plain(found, said):
            assert is_good
            note(found, before, repaired=False)
        elif is_good:
            note(found, said, repaired=False)
            note(found, before, repaired=False)
        assert before == said


def test_what_most_streams_consist_of_is_plain():
    said = StreamProgress()
    events = [
        FIRST,
        chunk('{"content":"a"}'),
        chunk('{"reasoning":"b"}', rest=',"usage":null'),
        STOP,
    ]

    assert all(note_if_plain(read(msgspec.json.decode(event)), said) for event in events)
    assert said.is_finished()
    assert not note_if_plain(read(msgspec.json.decode(usage_chunk())), said)
