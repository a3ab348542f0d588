"""Conversations as APIs take them."""

from __future__ import annotations

import base64
import copy
import io
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from smolagents import AgentAudio
from smolagents.models import ChatMessage, MessageRole, get_clean_message_list


def text(*parts):
    return [{"type": "text", "text": part} for part in parts]


def picture():
    return Image.new("RGB", (2, 2), "red")


def test_messages_and_dictionaries_give_the_same():
    messages = [ChatMessage(MessageRole.SYSTEM, "be brief"), ChatMessage(MessageRole.USER, text("hello"))]
    expected = [{"role": "system", "content": "be brief"}, {"role": "user", "content": text("hello")}]
    assert get_clean_message_list(messages) == expected
    assert get_clean_message_list([message.dict() for message in messages]) == expected


def test_roles_are_converted_and_neighbours_of_one_role_are_joined():
    messages = [
        ChatMessage(MessageRole.USER, text("task")),
        ChatMessage(MessageRole.TOOL_RESPONSE, text("observed")),
        ChatMessage(MessageRole.USER, "and now"),
        ChatMessage(MessageRole.ASSISTANT, "a"),
        ChatMessage(MessageRole.TOOL_CALL, "b"),
    ]
    clean = get_clean_message_list(
        messages, role_conversions={MessageRole.TOOL_RESPONSE: "user", "tool-call": "assistant"}
    )
    assert clean == [
        {"role": "user", "content": text("task\nobserved\nand now")},
        {"role": "assistant", "content": "a\nb"},
    ]


contents = st.one_of(st.text(max_size=5), st.lists(st.text(max_size=5), max_size=3).map(lambda parts: text(*parts)))
conversations = st.lists(st.builds(ChatMessage, st.sampled_from(MessageRole), contents), max_size=8)


@given(conversations, st.integers(0, 8), st.booleans())
def test_input_is_unchanged_and_a_longer_conversation_begins_the_same(messages, length, flatten):
    before = copy.deepcopy(messages)
    prefix = get_clean_message_list(messages[:length], flatten_messages_as_text=flatten)
    whole = get_clean_message_list(messages, flatten_messages_as_text=flatten)
    assert messages == before
    assert whole[: max(0, len(prefix) - 1)] == prefix[:-1]
    roles = [message["role"] for message in whole]
    assert all(first != second for first, second in pairwise(roles))
    assert _words(whole) == _words([message.dict() for message in messages])


def _words(messages):
    contents = [message["content"] for message in messages]
    texts = [c if isinstance(c, str) else "".join(part["text"] for part in c) for c in contents]
    return "".join(texts).replace("\n", "")


def test_images_become_data_urls_or_base64(tmp_path):
    path = tmp_path / "picture.jpg"
    picture().save(path)
    buffer = io.BytesIO()
    picture().save(buffer, format="PNG")
    for image, media_type in ((picture(), "png"), (buffer.getvalue(), "png"), (str(path), "jpeg"), (path, "jpeg")):
        message = ChatMessage(MessageRole.USER, [*text("look"), {"type": "image", "image": image}])
        part = get_clean_message_list([message], convert_images_to_image_urls=True)[0]["content"][1]
        head, _, data = part["image_url"]["url"].partition(",")
        assert (part["type"], head) == ("image_url", f"data:image/{media_type};base64")
        assert Image.open(io.BytesIO(base64.b64decode(data))).size == (2, 2)
        plain = get_clean_message_list([message])[0]["content"][1]
        assert plain == {"type": "image", "image": data}
    url = "https://example.org/a.png"
    part = get_clean_message_list(
        [ChatMessage("user", [{"type": "image", "image": url}])], convert_images_to_image_urls=True
    )
    assert part[0]["content"][0]["image_url"]["url"] == url


def test_flattening_gives_text():
    assert get_clean_message_list([ChatMessage("user", text("a", "b"))], flatten_messages_as_text=True) == [
        {"role": "user", "content": "a\nb"}
    ]


URLS = {"convert_images_to_image_urls": True}


def test_a_picture_that_breaks_when_it_is_read():
    buffer = io.BytesIO()
    picture().save(buffer, format="PNG")
    broken = Image.open(io.BytesIO(buffer.getvalue()[:-30]))
    with pytest.raises(ValueError, match="cannot be read"):
        get_clean_message_list([{"role": "user", "content": [{"type": "image", "image": broken}]}], **URLS)


@pytest.mark.parametrize("how", ["bytes", "path", "AgentAudio"])
def test_sounds_become_parts_that_apis_take(how, tmp_path):
    data = b"RIFF\x24\0\0\0WAVEfmt "
    path = tmp_path / "a.wav"
    path.write_bytes(data)
    sound = {"bytes": data, "path": path, "AgentAudio": AgentAudio(path)}[how]
    (message,) = get_clean_message_list([{"role": "user", "content": [{"type": "audio", "audio": sound}]}], **URLS)
    encoded = {"data": base64.b64encode(data).decode(), "format": "wav"}
    assert message["content"] == [{"type": "input_audio", "input_audio": encoded}]


@pytest.mark.parametrize(
    ("messages", "options", "error", "says"),
    [
        ([{"role": "robot", "content": "x"}], {}, ValueError, "'robot'.*use one of user, assistant"),
        ([{"content": "x"}], {}, ValueError, "message 0 has no role"),
        (["x"], {}, TypeError, "message 0 is of type str"),
        ([{"role": "user", "content": 3}], {}, TypeError, "message 0 is of type int"),
        ([{"role": "user", "content": ["x"]}], {}, TypeError, "content part 'x'"),
        ([{"role": "user", "content": [{"type": "image", "image": "/no/such.png"}]}], {}, ValueError, "/no/such.png"),
        ([{"role": "user", "content": [{"type": "image", "image": 3}]}], {}, TypeError, "not int"),
        (
            [{"role": "user", "content": [{"type": "text", "text": 3}]}],
            {},
            TypeError,
            "text part whose text is of type int",
        ),
        (
            [{"role": "user", "content": [{"type": "text"}]}],
            {"flatten_messages_as_text": True},
            TypeError,
            "type NoneType",
        ),
        ([{"role": "user", "content": [{"type": "image", "image": b"%PDF-1.7"}]}], URLS, ValueError, "no PNG.*%PDF"),
        ([{"role": "user", "content": [{"type": "image", "image": b""}]}], URLS, ValueError, "image of 0 bytes"),
        ([{"role": "user", "content": [{"type": "image", "image": "a\0b"}]}], URLS, ValueError, "cannot be read"),
        (
            [{"role": "user", "content": [{"type": "audio", "audio": b"MZ"}]}],
            URLS,
            ValueError,
            "sound of 2 bytes is no WAV",
        ),
        (
            [{"role": "user", "content": [{"type": "audio", "audio": "/no/such.wav"}]}],
            URLS,
            ValueError,
            "/no/such.wav",
        ),
        ([{"role": "user", "content": [{"type": "audio", "audio": 3}]}], URLS, TypeError, "not int"),
        (
            [{"role": "user", "content": [{"type": "image", "image": picture()}]}],
            {"flatten_messages_as_text": True},
            ValueError,
            "takes text only",
        ),
    ],
)
def test_bad_messages_are_named(messages, options, error, says):
    with pytest.raises(error, match=says):
        get_clean_message_list(messages, **options)


def test_a_long_history_is_cheap():
    messages = [
        ChatMessage(MessageRole.USER if i % 2 else MessageRole.ASSISTANT, text("x" * 2000)) for i in range(400)
    ]
    best = min(_seconds(lambda: get_clean_message_list(messages)) for _ in range(5))
    assert best < 0.01


def _seconds(function):
    start = time.process_time()
    function()
    return time.process_time() - start
