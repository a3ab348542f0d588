"""Stop sequences where a model does not know them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from smolagents.models import ChatMessageStreamDelta, TokenUsage, remove_content_after_stop_sequences
from smolagents.models.stops import StreamCutter

letters = st.text(alphabet="ab<>", max_size=12)


def test_the_first_sequence_cuts():
    assert remove_content_after_stop_sequences("one</code>two\nthree", ["\nthree", "</code>"]) == "one"
    assert remove_content_after_stop_sequences("one", ["x"]) == "one"
    assert remove_content_after_stop_sequences(None, ["x"]) is None
    assert remove_content_after_stop_sequences("one", None) == "one"


@given(st.lists(letters, max_size=6), st.lists(letters, max_size=3))
def test_a_stream_is_cut_as_its_whole_text_is(pieces, stops):
    cutter = StreamCutter(stops)
    shown = [cutter.feed(ChatMessageStreamDelta(content=piece)) for piece in pieces]
    shown.append(cutter.rest())
    text = "".join(delta.content or "" for delta in shown if delta is not None)
    whole = "".join(pieces)
    # A stream stops at the sequence that is complete first; it may begin after one that is complete later.
    ends = [whole.find(stop) + len(stop) for stop in stops if stop and stop in whole]
    if not ends:
        assert text == whole
    else:
        assert any(stop and whole[: len(text) + len(stop)] == text + stop for stop in stops)


def test_usage_after_the_cut_still_comes():
    cutter = StreamCutter(["STOP"])
    assert cutter.feed(ChatMessageStreamDelta(content="a ST")).content == "a "
    assert cutter.feed(ChatMessageStreamDelta(content="OP b")) is None
    assert cutter.feed(ChatMessageStreamDelta(content="c")) is None
    usage = TokenUsage(3, 4)
    assert cutter.feed(ChatMessageStreamDelta(content="d", token_usage=usage)) == ChatMessageStreamDelta(
        token_usage=usage
    )
    assert cutter.rest() is None


def test_what_only_looked_like_a_stop_is_not_lost():
    cutter = StreamCutter(["STOP"])
    assert cutter.feed(ChatMessageStreamDelta(content="a ST")).content == "a "
    assert cutter.rest().content == "ST"
