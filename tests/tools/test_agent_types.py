"""Agent types behave as what they hold."""

from __future__ import annotations

import copy
import importlib.util
import io
import pickle
import subprocess
import sys
import wave

import numpy as np
import PIL.Image
import pytest

from smolagents.agent_types import (
    AgentAudio,
    AgentImage,
    AgentText,
    handle_agent_input_types,
    handle_agent_output_types,
)
from smolagents.types.errors import MissingExtraError


def picture() -> PIL.Image.Image:
    return PIL.Image.new("RGB", (5, 2), (255, 0, 0))


def test_text_is_a_str():
    text = AgentText("héllo")
    assert text == "héllo"
    assert isinstance(text, str)
    assert text.upper() == "HÉLLO"
    assert text.to_raw() == text.to_string() == str(text) == "héllo"
    assert type(text.to_raw()) is str
    assert pickle.loads(pickle.dumps(text)) == text
    assert AgentText(3).to_string() == "3"


def test_an_image_from_anything(tmp_path):
    image = picture()
    path = tmp_path / "i.png"
    image.save(path)
    pixels = np.zeros((2, 5, 3), dtype="uint8")
    pixels[..., 0] = 255
    for value in (
        image,
        path,
        str(path),
        path.read_bytes(),
        pixels,
        pixels / 255.0,
        pixels.transpose(2, 0, 1),
        AgentImage(image),
    ):
        held = AgentImage(value)
        assert held.size == (5, 2)
        assert held.to_raw().getpixel((0, 0)) == (255, 0, 0)
        with PIL.Image.open(held.to_string()) as written:
            assert written.size == (5, 2)
    with pytest.raises(TypeError, match="cannot be made from dict"):
        AgentImage({})
    with pytest.raises(FileNotFoundError):
        AgentImage("/nowhere.png").to_raw()


def test_an_image_is_saved_copied_and_pickled():
    held = AgentImage(picture())
    buffer = io.BytesIO()
    held.save(buffer)
    assert buffer.getvalue()[:4] == b"\x89PNG"
    assert held._repr_png_()[:4] == b"\x89PNG"
    assert copy.copy(held).size == pickle.loads(pickle.dumps(held)).size == (5, 2)
    assert held == picture()
    with pytest.raises(AttributeError):
        held.no_such_thing


def test_audio_holds_samples_or_a_path(tmp_path):
    samples = np.zeros(10)
    assert AgentAudio(samples).samplerate == 16_000
    assert AgentAudio((8_000, samples)).samplerate == 8_000
    assert AgentAudio((8_000, samples)).to_raw() is samples
    assert AgentAudio(tmp_path / "a.wav").to_string() == str(tmp_path / "a.wav")
    with pytest.raises(TypeError, match="cannot be made from dict"):
        AgentAudio({})


@pytest.mark.parametrize("channels", [1, 2])
def test_samples_become_a_file_and_a_file_becomes_samples(channels):
    samples = np.linspace(-1.2, 1.2, 60)
    samples = samples if channels == 1 else samples.reshape(-1, 2)
    held = AgentAudio(samples, samplerate=8_000)
    with wave.open(held.to_string()) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8_000, channels, 2)
    read = AgentAudio(held.to_string())
    assert read.to_raw().shape == samples.shape
    assert read.samplerate == 8_000
    assert np.abs(np.asarray(read) - samples.clip(-1, 1)).max() < 1e-4
    assert "data:audio/" in held._repr_html_()
    assert AgentAudio([0.0, 0.5, -0.5]).to_string().endswith(".wav")


def test_a_sound_that_cannot_be_read_says_why(tmp_path):
    with pytest.raises(FileNotFoundError):
        AgentAudio("/nowhere.wav").to_raw()
    if importlib.util.find_spec("soundfile") is None:
        (tmp_path / "a.mp3").write_bytes(b"ID3")
        with pytest.raises(MissingExtraError, match=r"pip install 'smolagents\[audio\]'"):
            AgentAudio(tmp_path / "a.mp3").to_raw()


def test_outputs_are_wrapped_by_declared_type_or_by_their_own():
    assert isinstance(handle_agent_output_types("x"), AgentText)
    assert isinstance(handle_agent_output_types("x", "string"), AgentText)
    assert isinstance(handle_agent_output_types(picture()), AgentImage)
    assert isinstance(handle_agent_output_types(np.zeros((2, 2)), "image"), AgentImage)
    assert isinstance(handle_agent_output_types(np.zeros(3), "audio"), AgentAudio)
    for value in (None, 3, [1], {"a": 1}):
        assert handle_agent_output_types(value) is value
        assert handle_agent_output_types(value, "string") is value
    text = AgentText("x")
    assert handle_agent_output_types(text, "string") is text


def test_inputs_are_unwrapped():
    image = picture()
    args, kwargs = handle_agent_input_types(AgentText("x"), 3, image=AgentImage(image))
    assert args == ["x", 3]
    assert type(args[0]) is str
    assert kwargs["image"] is image


def test_nothing_heavy_is_imported_until_it_is_used():
    program = (
        "import sys, smolagents.tools as t, smolagents.agent_types\n"
        "t.FinalAnswerTool()('x', sanitize_inputs_outputs=True)\n"
        "heavy = {'PIL', 'numpy', 'torch', 'asyncio', 'httpx', 'httpx2', 'pydantic', 'huggingface_hub'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
