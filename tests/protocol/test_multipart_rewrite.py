"""The form on its way to an upstream (upstreams F-M1 to F-M4, contract L4)."""

import pytest

from app.domain.errors import InvalidRequest
from app.protocol.form_rewrite import MOST_HELD_BYTES, FormRewriter
from app.protocol.multipart import MOST_HEAD_BYTES, read_form
from tests.fuzz.held_bytes import held_bytes
from tests.protocol.forms import (
    FILE,
    FLAT,
    JSONL,
    MERGED,
    NODE_7,
    PURPOSE,
    PYTHON,
    B,
    field,
    form,
    part,
)
from tests.protocol.streams import at, seeded, sizes

REAL = part('name="4minds"', b'{"dataset_id": 7}')
ID = field("4minds[dataset_id]", "7")
MERGED_ID = part('name="4minds"', b'{"dataset_id":7}')
LARGE = part('name="notes"', b"n" * MOST_HELD_BYTES)


def rewriter(*, chunked: bool = False, takes_field: bool = True, **more) -> FormRewriter:
    return FormRewriter(B, takes_field=takes_field, keeps_length=not chunked, **more)


def sent(form_: FormRewriter, reads) -> bytes:
    return b"".join([form_.feed(read) for read in reads]) + form_.end()


CASES = [
    pytest.param(False, PYTHON, PYTHON, id="nothing to rewrite, with a length"),
    pytest.param(True, NODE_7, NODE_7, id="nothing to rewrite, in chunks"),
    pytest.param(False, form(*FLAT, PURPOSE, FILE), form(PURPOSE, MERGED, FILE), id="openai-python: before the file"),
    pytest.param(False, form(PURPOSE, FLAT[0], PURPOSE, FLAT[1], FILE), form(PURPOSE, PURPOSE, MERGED, FILE),
                 id="scattered before the file"),
    pytest.param(True, form(FILE, PURPOSE, *FLAT), form(FILE, PURPOSE, MERGED),
                 id="node 7: behind the file, in chunks"),
    pytest.param(True, form(FLAT[0], FILE, FLAT[1]), form(FILE, MERGED), id="around the file, in chunks"),
    pytest.param(False, form(*FLAT), form(MERGED), id="no file at all, with a length"),
    pytest.param(True, form(*FLAT), form(MERGED), id="no file at all, in chunks"),
    pytest.param(False, form(FILE, *FLAT), form(FILE, *FLAT), id="behind the file with a length: as they are"),
    pytest.param(False, form(FLAT[0], FILE, FLAT[1]),
                 form(part('name="4minds"', b'{"dataset_name":"My"}'), FILE, FLAT[1]),
                 id="around the file with a length: those before it"),
    pytest.param(False, form(REAL, PURPOSE, FILE), form(REAL, PURPOSE, FILE), id="a real field (F-M1)"),
    pytest.param(True, form(FILE, REAL), form(FILE, REAL), id="a real field behind the file (F-M1)"),
    pytest.param(False, form(FLAT[0], FLAT[1], LARGE, FILE), form(MERGED, LARGE, FILE),
                 id="more before the file than is held: what came before it is merged"),
    pytest.param(False, form(FLAT[0], FLAT[1], LARGE, ID, FILE), form(MERGED, LARGE, ID, FILE),
                 id="and what comes behind it passes as it is"),
    pytest.param(False, form(*FLAT, FILE, preamble=b"hello\r\n", epilogue=b"\r\nbye"),
                 form(MERGED, FILE, preamble=b"hello\r\n", epilogue=b"\r\nbye"), id="words around the form"),
    pytest.param(False, form(ID, FILE, FILE), form(MERGED_ID, FILE, FILE), id="two files"),
]  # fmt: skip


@pytest.mark.parametrize(("chunked", "came", "left"), CASES)
def test_l4_the_field_arrives_as_one_and_all_else_byte_for_byte(chunked, came, left):
    whole = rewriter(chunked=chunked)

    assert left == sent(whole, [came])
    assert len(left) == len(came) + whole.grown_bytes
    assert left == sent(rewriter(chunked=chunked), sizes(came, 1))
    for seed in range(50):
        assert left == sent(rewriter(chunked=chunked), seeded(came, seed)), f"seed {seed}"
    for cut in range(0, len(came), max(1, len(came) // 500)):
        assert left == sent(rewriter(chunked=chunked), at(came, cut)), f"cut at {cut}"


@pytest.mark.parametrize(("chunked", "came", "left"), CASES)
def test_another_upstream_gets_the_form_as_it_came(chunked, came, left):
    """Only 4minds knows the field."""
    other = rewriter(chunked=chunked, takes_field=False)

    assert came == sent(other, seeded(came, 1))
    assert (other.is_decided, other.grown_bytes, other.dataset_id) == (True, 0, None)


@pytest.mark.parametrize(("chunked", "came", "left"), CASES)
def test_f_m4_the_length_is_known_before_the_first_byte_of_a_file_leaves(chunked, came, left):
    form_ = rewriter(chunked=chunked)
    out = b""
    for piece in sizes(came, 5):
        out += form_.feed(piece)
        if out and not chunked:
            assert form_.is_decided
            assert form_.grown_bytes == len(left) - len(came)


@pytest.mark.parametrize("came", [PYTHON, form(*FLAT, PURPOSE, FILE, epilogue=b"\r\n\r\n")])
@pytest.mark.parametrize("chunked", [False, True])
def test_the_closing_boundary_is_kept_back_until_the_end(came, chunked):
    form_ = rewriter(chunked=chunked)

    left = form_.feed(came)

    assert b"--%b--" % B not in left
    assert left.endswith(b"\r\n")
    assert form_.end().startswith(b"--%b--" % B)


def test_in_the_midst_of_a_file_a_piece_goes_on_without_a_copy():
    form_ = rewriter()
    form_.feed(PYTHON[: PYTHON.index(JSONL)])
    piece = bytes(65536)

    assert form_.feed(piece) is piece


@pytest.mark.parametrize(("came", "dataset"), [
    pytest.param(PYTHON, None, id="none"),
    pytest.param(form(REAL, FILE), "7", id="in the real field"),
    pytest.param(form(FILE, REAL), "7", id="in the real field behind the file"),
    pytest.param(form(ID, FILE), "7", id="in a flattened part"),
    pytest.param(form(FILE, ID), "7", id="in a flattened part behind the file, even if it passes as it is"),
])  # fmt: skip
@pytest.mark.parametrize("chunked", [False, True])
def test_the_data_set_is_known_before_the_closing_boundary_leaves(came, dataset, chunked):
    form_ = rewriter(chunked=chunked)
    form_.feed(came)

    assert form_.dataset_id == dataset


def test_flattened_parts_that_pass_as_they_are_are_told_of():
    late, good = rewriter(), rewriter()
    sent(late, [form(FILE, *FLAT)])
    sent(good, [form(*FLAT, FILE)])

    assert (late.has_late_parts, good.has_late_parts) == (True, False)


def test_the_file_and_the_fields_that_are_watched_are_told_of():
    form_ = rewriter(watched=frozenset({"purpose", "model"}))
    sent(form_, sizes(form(PURPOSE, field("other", "x"), FILE, FILE), 11))

    assert form_.file is not None
    assert form_.file.filename == "train.jsonl"
    assert form_.file_bytes == len(JSONL)
    assert form_.fields == {"purpose": b"fine-tune"}


REFUSED = [
    pytest.param(form(REAL, REAL, FILE), "4minds", id="two real fields, of which an upstream takes either"),
    pytest.param(form(REAL, ID, FILE), "4minds", id="a real field and a flattened one"),
    pytest.param(form(ID, REAL, FILE), "4minds", id="a flattened field and a real one"),
    pytest.param(form(REAL, FILE, ID), "4minds", id="a real field, and a flattened one behind the file"),
    pytest.param(form(ID, FILE, ID), "4minds", id="one id before the file and one behind it"),
    pytest.param(form(part('name="4minds[a]"; filename="x"', b"1"), FILE), "4minds", id="a file in place of a text"),
    pytest.param(form(part('name="4minds"', b"[]"), FILE), "4minds", id="a real field that is no object"),
    pytest.param(form(FILE, field("4minds[dataset_id]", "x")), "4minds", id="a late field that cannot be"),
    pytest.param(form(field("4minds[a]", "x" * (MOST_HELD_BYTES + 1)), FILE), "4minds[a]", id="a field too large"),
    pytest.param(form(field("4minds[a]", "x" * 40000), field("4minds[b]", "x" * 40000), FILE), "4minds[b]",
                 id="fields too large together"),
    pytest.param(form(FILE, part('name="4minds"', b'{"a":"%b"}' % (b"x" * MOST_HELD_BYTES))), "4minds",
                 id="a real field too large"),
    pytest.param(form(PURPOSE, PURPOSE, FILE), "purpose", id="a watched field twice"),
    pytest.param(form(PURPOSE), "file", id="no file"),
    pytest.param(form(part('name="4minds"; filename="x"', b"{}")), "file", id="the field is not the file"),
]  # fmt: skip


@pytest.mark.parametrize(("came", "param"), REFUSED)
@pytest.mark.parametrize("chunked", [False, True])
def test_what_could_mean_two_things_is_refused_before_the_closing_boundary(came, param, chunked):
    for reads in ([came], sizes(came, 1000), seeded(came, 3)):
        form_ = rewriter(chunked=chunked, needs_file=True, watched=frozenset({"purpose"}))
        left: list[bytes] = []
        with pytest.raises(InvalidRequest) as refusal:
            left.extend(map(form_.feed, reads))

        assert refusal.value.param == param
        assert b"--%b--" % B not in b"".join(left)


def test_the_field_may_come_as_a_file():
    """curl's `-F 4minds=@field.json` gives it a filename."""
    came = form(part('name="4minds"; filename="field.json"', b'{"dataset_id":7}'), FILE)
    form_ = rewriter(needs_file=True)

    assert came == sent(form_, [came])
    assert form_.dataset_id == "7"
    assert form_.file is not None
    assert form_.file.filename == "train.jsonl"


def test_a_form_that_ends_too_early_is_refused_at_its_end():
    form_ = rewriter()
    form_.feed(PYTHON[:-6])

    with pytest.raises(InvalidRequest):
        form_.end()


@pytest.mark.parametrize("chunked", [False, True])
def test_what_an_sdk_flattened_is_read_as_what_its_caller_wrote(chunked):
    (purpose, file, merged) = sorted(
        read_form(sent(rewriter(chunked=chunked), [form(*FLAT, PURPOSE, FILE)]), B),
        key=lambda found: ["purpose", "file", "4minds"].index(found.head.name),
    )

    assert (purpose.content, file.content) == (b"fine-tune", JSONL)
    assert merged.content == b'{"dataset_name":"My","model_params":{"learning_rate":0.001}}'


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(
    ("filling", "size"), [(b"\0", 65536), (b"\r\n-", 50000), (b"\r\n--" + B[:-1], 65536)]
)
def test_l1_of_half_a_gigabyte_nothing_is_held(chunked, filling, size):
    form_ = rewriter(chunked=chunked)
    form_.feed(form(*FLAT, PURPOSE, FILE.removesuffix(JSONL + b"\r\n"))[: -len(B) - 6])
    piece = (filling * (size // len(filling) + 1))[:size]
    held, passed = 0, 0
    for count in range(500 * 1024 * 1024 // size):
        passed += len(form_.feed(piece))
        if count % 512 == 0:
            held = max(held, held_bytes(form_))

    assert passed > 499 * 1024 * 1024
    assert held < 16 * 1024


@pytest.mark.parametrize("came", [
    pytest.param(form(*[field("a", "b")] * 900, LARGE), id="many fields"),
    pytest.param(form(field("4minds[a]", "x" * 60000), part('name="a"', b"y" * 200000), FILE), id="large fields"),
    pytest.param(b"--%b\r\nContent-Disposition: form-data; name=a; x=%b" % (B, b"y" * (MOST_HEAD_BYTES - 500)),
                 id="a large head"),
])  # fmt: skip
def test_before_the_first_file_little_is_held(came):
    """Of each byte a copy at most, and what Python needs to keep it."""
    form_, held = rewriter(), 0
    for piece in list(sizes(came, 500))[:-1]:
        form_.feed(piece)
        held = max(held, held_bytes(form_))

    assert held < 4 * MOST_HELD_BYTES
