"""Images and the types that tools return cross in both directions."""

from __future__ import annotations

import io
import sys

import numpy as np
import pytest
from PIL import Image

from smolagents.executors.worker.values import CannotCrossError, MalformedValueError
from smolagents.types.agent_types import AgentAudio, AgentImage, AgentText

MODES = ["1", "L", "P", "LA", "PA", "La", "RGB", "RGBA", "RGBX", "RGBa", "CMYK", "YCbCr", "HSV", "LAB", "I", "F"]
MODES += ["I;16", "I;16B"]


def picture(mode) -> Image.Image:
    noise = Image.effect_noise((13, 7), 50)
    try:
        image = noise.convert(mode)
    except ValueError:
        image = Image.new(mode, (13, 7), 1)
    image.info.clear()  # a colour profile does not cross
    return image


@pytest.mark.parametrize("mode", MODES)
def test_images(boundary, mode):
    image = picture(mode)
    for arrived in boundary.both(image):
        assert arrived == image
        assert arrived.tobytes() == image.tobytes()


def test_palettes_and_transparency(boundary):
    image = Image.new("RGBA", (4, 4), (200, 10, 10, 128)).quantize(4)
    opaque = picture("RGB").quantize(16)
    opaque.info["transparency"] = 3
    for arrived in boundary.both([image, opaque]):
        assert arrived[0].convert("RGBA") == image.convert("RGBA")
        assert arrived[1].getpalette() == opaque.getpalette()
        assert arrived[1].convert("RGBA") == opaque.convert("RGBA")


def test_images_read_from_files_and_empty_images(boundary):
    file = io.BytesIO()
    picture("RGB").save(file, "png")
    for arrived in boundary.both([Image.open(file), Image.new("RGB", (0, 4))]):
        assert arrived[0] == picture("RGB") or arrived[0].tobytes() == Image.open(file).tobytes()
        assert arrived[1].size == (0, 4)


def test_an_image_that_cannot_be_read_is_named(boundary):
    file = io.BytesIO()
    Image.effect_noise((64, 64), 9).save(file, "png")
    broken = Image.open(io.BytesIO(file.getvalue()[:200]))
    with pytest.raises(CannotCrossError, match=r"result\[0\]: an object of class 'PngImageFile' could not be read"):
        boundary.host.encode([broken], "result")


def test_agent_types(boundary):
    samples = np.linspace(-1, 1, 5, dtype="f4")
    value = [AgentText("ü"), AgentImage(picture("RGB")), AgentAudio(samples, samplerate=8000), AgentAudio([0.5])]
    for arrived in boundary.both(value):
        assert [type(part) for part in arrived] == [AgentText, AgentImage, AgentAudio, AgentAudio]
        assert arrived[0] == "ü"
        assert arrived[1].to_raw().size == (13, 7)
        np.testing.assert_array_equal(arrived[2].to_raw(), samples)
        assert arrived[2].samplerate == 8000
        assert arrived[3].to_raw() == [0.5]


def test_agent_types_arrive_as_what_they_wrap_where_the_package_is_not(boundary, monkeypatch):
    value = [AgentText("ü"), AgentImage(picture("RGB")), AgentAudio([0.5], samplerate=8000)]
    data = boundary.host.encode(value)
    monkeypatch.delitem(sys.modules, "smolagents.types.agent_types")
    text, image, sound = boundary.far.decode(data)
    assert type(text) is str
    assert text == "ü"
    assert isinstance(image, Image.Image)
    assert sound == (8000, [0.5])


@pytest.mark.parametrize(
    "data",
    [
        {"$": "agent_image", "v": "/etc/passwd"},
        {"$": "agent_image", "v": {"$": "bytes", "v": "aGk="}},
        {"$": "agent_audio", "v": "/etc/passwd", "rate": 8000},
        {"$": "agent_audio", "v": {"$": "path", "v": "/etc/passwd", "of": "posix"}, "rate": 8000},
    ],
)
def test_the_far_side_cannot_have_files_of_the_host_opened(boundary, data):
    with pytest.raises(MalformedValueError):
        boundary.host.decode(data)
