"""Which model the command line gets."""

from __future__ import annotations

import sys

import pytest

from smolagents.cli import load_model
from smolagents.cli.model_choice import choose_model
from smolagents.cli.problems import CliError
from smolagents.models import OpenAIModel


def test_a_class_by_its_name():
    model = load_model("OpenAIModel", "m", api_base="http://127.0.0.1:1/v1", api_key="k")
    assert type(model) is OpenAIModel
    assert model.model_id == "m"
    assert str(model.client.base_url) == "http://127.0.0.1:1/v1/"
    assert model.client.api_key == "k"


def test_an_unknown_class_is_named_with_the_nearest_and_all():
    with pytest.raises(CliError, match=r"'OpenAiModle'. Did you mean 'OpenAIModel'\? Known: .*LlamaCppModel, .*"):
        load_model("OpenAiModle", "m")


@pytest.mark.parametrize("name", ["Model", "ApiModel", "ChatMessage", "os", "__class__", "", "a.b"])
def test_what_is_no_model_is_unknown(name):
    with pytest.raises(CliError, match="unknown model type"):
        load_model(name, "m")


def test_an_argument_that_the_class_cannot_take():
    with pytest.raises(CliError, match="OpenAIModel has no use for --provider"):
        load_model("OpenAIModel", "m", api_key="k", provider="together")
    with pytest.raises(CliError, match="LlamaCppModel has no use for --api-base"):
        load_model("LlamaCppModel", None, api_base="http://a")


def test_a_class_that_needs_an_id():
    with pytest.raises(CliError, match="OpenAIModel needs a model: name one with --model-id"):
        load_model("OpenAIModel", None)


def test_a_missing_key():
    with pytest.raises(CliError, match=r"(?i)OpenAIModel cannot be used: .*OPENAI_API_KEY"):
        load_model("OpenAIModel", "m").client


def test_a_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(CliError, match=r"pip install 'smolagents\[openai\]'"):
        load_model("OpenAIModel", "m", api_key="k")


def test_a_file_that_is_not_there():
    with pytest.raises(CliError, match=r"no model file '/nowhere/x\.gguf'"):
        load_model("LlamaCppModel", "/nowhere/x.gguf")


def test_an_address_alone_means_a_server_that_speaks_openais_api():
    assert type(choose_model(None, "m", api_base="http://127.0.0.1:1/v1")) is OpenAIModel


def test_an_address_without_a_model():
    with pytest.raises(CliError, match="Name one with --model-id"):
        choose_model(None, None, api_base="http://127.0.0.1:1/v1")


def test_the_environment_names_the_default(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    monkeypatch.setenv("SMOLAGENTS_MODEL", "OpenAIModel:org/name:tag")
    assert choose_model(None, None).model_id == "org/name:tag"
    monkeypatch.setenv("SMOLAGENTS_MODEL", "gpt")
    with pytest.raises(CliError, match="'gpt'; write it as TypeName:model-id"):
        choose_model(None, None)


def test_nothing_to_think_with_says_how_to_get_it():
    with pytest.raises(CliError) as failed:
        choose_model(None, None)
    assert "python -m smolagents.models.catalogue fetch qwen2.5-coder-1.5b" in str(failed.value)
    assert "1.1 GB" in str(failed.value)


def test_the_local_model_is_offered_and_may_be_refused():
    asked = []
    with pytest.raises(CliError, match="no model: name one"):
        choose_model(None, None, confirm=lambda question: asked.append(question))
    assert "local model qwen2.5-coder-1.5b (1.1 GB, fetched once)?" in asked[0]
