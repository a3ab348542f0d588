"""Tokens to text, piece by piece: nothing lost, nothing read twice, stops exact."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolagents.models.local_text import IncrementalDecoder, ReplyReader, opens_thought
from smolagents.types.messages import agglomerate_stream_deltas


def decode_bytes(tokens: list[int]) -> str:
    """As byte-level tokenizers do: a token is a byte."""
    return bytes(tokens).decode("utf-8", errors="replace")


@given(st.text(), st.integers(1, 5))
def test_the_pieces_make_the_text(text, size):
    data = text.encode("utf-8", errors="ignore")
    decoder = IncrementalDecoder(decode_bytes)
    pieces = [decoder.feed(data[start : start + size]) for start in range(0, len(data), size)]
    assert "".join(pieces) + decoder.flush() == decode_bytes(list(data))


@given(st.binary())
def test_bytes_that_are_no_text_do_no_harm(data):
    decoder = IncrementalDecoder(decode_bytes)
    shown = "".join(decoder.feed([byte]) for byte in data) + decoder.flush()
    assert len(shown) <= len(data)
    assert [letter for letter in shown if letter.isascii()] == [chr(byte) for byte in data if byte < 128]


@pytest.mark.parametrize("data", [b"a" * 4000, b"\xff" * 4000, "ä".encode() * 2000], ids=["text", "no text", "pairs"])
def test_the_work_does_not_grow_with_the_text(data):
    decoded = 0

    def decode(tokens):
        nonlocal decoded
        decoded += len(tokens)
        return decode_bytes(tokens)

    decoder = IncrementalDecoder(decode)
    for byte in data:
        decoder.feed([byte])
    assert decoded < 60 * len(data)


def test_a_character_in_pieces_is_shown_whole():
    decoder = IncrementalDecoder(decode_bytes)
    assert [decoder.feed([byte]) for byte in "a☀b".encode()] == ["a", "", "", "☀", "b"]


def test_text_is_decoded_in_its_context():
    # As tokenizers of the SentencePiece kind: a space before a word is left out at the start of the text.
    words = {1: " one", 2: " two"}
    decoder = IncrementalDecoder(lambda tokens: "".join(words[token] for token in tokens).removeprefix(" "))
    assert [decoder.feed([token]) for token in (1, 2, 1)] == ["one", " two", " one"]


def read(pieces, stops=(), thinks_first=False):
    reader = ReplyReader(stops, thinks_first)
    deltas = [reader.feed(piece) for piece in pieces]
    message = agglomerate_stream_deltas([delta for delta in [*deltas, reader.rest()] if delta is not None])
    return message.reasoning_content, message.content, reader.stopped


@given(st.text("ab<>/code", max_size=40), st.lists(st.integers(1, 6), min_size=1))
def test_the_answer_ends_at_the_stop_sequence_wherever_pieces_end(text, sizes):
    pieces, rest = [], text
    while rest:
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(rest[:size])
        rest = rest[size:]
    _, content, stopped = read(pieces, ["</code>", "ab"])
    ends = [text.find(stop) for stop in ("</code>", "ab") if stop in text]
    assert (content, stopped) == (text[: min(ends)] if ends else text, bool(ends))


def test_thoughts_are_apart_and_may_hold_stop_sequences():
    assert read(["<thi", "nk>Stop? STOP.", "</think>", "Yes.STOP no"], ["STOP"]) == ("Stop? STOP.", "Yes.", True)
    assert read(["Hm.</th", "ink>\n\nYes."], thinks_first=True) == ("Hm.", "Yes.", False)
    assert read(["Hm. I am cut"], thinks_first=True) == ("Hm. I am cut", "", False)
    assert read(["a < b"]) == (None, "a < b", False)


def test_a_prompt_that_opens_a_thought():
    assert opens_thought("<|im_start|>assistant\n<think>\n")
    assert not opens_thought("<think>\n\n</think>\n\n")
