"""The model of an agent that was given none."""

from __future__ import annotations

import pytest

from smolagents.models import InferenceClientModel, LlamaCppModel, OpenAIModel, default_model, make_model
from smolagents.models.catalogue import CATALOGUE, DEFAULT_MODEL, SMALL_MODEL


@pytest.fixture(autouse=True)
def bare(monkeypatch):
    monkeypatch.delenv("SMOLAGENTS_MODEL", raising=False)
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)


def test_the_variable_comes_first(monkeypatch, tiny_gguf):
    monkeypatch.setattr("huggingface_hub.get_token", lambda: "hf_x")
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    monkeypatch.setenv("SMOLAGENTS_MODEL", "OpenAIModel:ft:gpt-4o:me")
    model = default_model()
    assert (type(model), model.model_id) == (OpenAIModel, "ft:gpt-4o:me")
    monkeypatch.setenv("SMOLAGENTS_MODEL", f"LlamaCppModel:{tiny_gguf}")
    assert type(default_model()) is LlamaCppModel


def test_then_a_token(monkeypatch):
    monkeypatch.setattr("huggingface_hub.get_token", lambda: "hf_x")
    assert type(default_model()) is InferenceClientModel


def test_else_the_local_model_and_a_line_that_says_so(monkeypatch, tmp_path, tiny_gguf, capsys):
    models = tmp_path / "models"
    models.mkdir()
    # The tiny file under the default's name and length, so that nothing large is needed here.
    (models / CATALOGUE[DEFAULT_MODEL].filename).write_bytes(tiny_gguf.read_bytes())
    import dataclasses

    entry = dataclasses.replace(CATALOGUE[DEFAULT_MODEL], size=tiny_gguf.stat().st_size)
    monkeypatch.setitem(CATALOGUE, DEFAULT_MODEL, entry)
    monkeypatch.setenv("SMOLAGENTS_CACHE", str(tmp_path))
    model = default_model()
    assert (type(model), model.model_id) == (LlamaCppModel, DEFAULT_MODEL)
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"using the local model {DEFAULT_MODEL}" in said


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (
            "GptModel:x",
            "SMOLAGENTS_MODEL is 'GptModel:x': there is no model type 'GptModel'; use one of .*LlamaCppModel.*OpenAIModel",
        ),
        ("OpenAIModel", "OpenAIModel needs a model id; write OpenAIModel:<model id>"),
        ("LlamaCppModel:gpt-4o", f"neither a file nor a model of the catalogue .*{SMALL_MODEL}"),
    ],
)
def test_a_wrong_variable_is_explained(monkeypatch, value, says):
    monkeypatch.setenv("SMOLAGENTS_MODEL", value)
    with pytest.raises(ValueError, match=says):
        default_model()


def test_models_by_type_name_take_arguments():
    model = make_model("OpenAIModel", "qwen", api_base="http://localhost:1/v1", temperature=0.5)
    assert (model.model_id, model.api_base, model.kwargs) == ("qwen", "http://localhost:1/v1", {"temperature": 0.5})
