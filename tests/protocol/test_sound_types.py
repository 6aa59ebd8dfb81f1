"""What a sound is, by its first bytes (contract O4, upstreams A6)."""

import pytest

from app.protocol.sound_types import CONTENT_TYPES, container_of


@pytest.mark.parametrize(
    ("head", "samples_are_due", "found"),
    [
        pytest.param(b"RIFF\x24\x00", False, "wav", id="a WAV"),
        pytest.param(b"ID3\x04", False, "mp3", id="an mp3 with its tag"),
        pytest.param(b"\xff\xfb\x90\x64", False, "mp3", id="an mp3 without"),
        pytest.param(b"\xff\xe0\x00\x00", False, "mp3", id="the first sync word"),
        pytest.param(b"\xff\xff\x00\x00", False, "mp3", id="the last one"),
        pytest.param(b"\xff\xf1\x50\x80", False, "aac", id="an ADTS frame is no mp3"),
        pytest.param(b"\xff\xdf\x00\x00", False, "raw", id="below the sync words"),
        pytest.param(b"OggS", False, "ogg", id="an Ogg"),
        pytest.param(b"fLaC", False, "flac", id="a FLAC"),
        pytest.param(b"\x00\x00\x01\x00", False, "raw", id="samples"),
        pytest.param(b"\xff", False, "raw", id="a single byte"),
        pytest.param(b"", False, "raw", id="nothing"),
        pytest.param(b"\xff\xff\xff\xff", True, "raw", id="the sample -1 is no frame"),
        pytest.param(b"RIFF", True, "wav", id="a WAV, though samples were due"),
        pytest.param(b"ID3\x03", True, "mp3", id="an mp3 by its tag, though samples were due"),
    ],
)
def test_the_first_bytes_tell(head, samples_are_due, found):
    assert found == container_of(head, samples_are_due=samples_are_due)


def test_each_container_has_its_type():
    assert b"audio/mpeg" == CONTENT_TYPES["mp3"]
    assert len(CONTENT_TYPES) == len(set(CONTENT_TYPES.values()))
