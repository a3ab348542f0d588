"""Prompt templates: their defaults, their shape, and the sandbox they are rendered in."""

from __future__ import annotations

import ast
import copy
from typing import Any

import pytest

from smolagents import (
    CodeAgent,
    FinalAnswerPromptTemplate,
    ManagedAgentPromptTemplate,
    PlanningPromptTemplate,
    PromptTemplates,
    ToolCallingAgent,
    populate_template,
    tool,
)
from smolagents.agents.templates import copy_templates, default_templates
from smolagents.testing import ScriptedModel, tool_call, tool_calls

NAMES = ["code_agent", "code_agent_compact", "structured_code_agent", "toolcalling_agent", "toolcalling_agent_compact"]


@tool
def lookup(word: str) -> str:
    """Looks a word up.

    Args:
        word: The word.
    """
    return word


def agent_with(templates: Any = None, **kwargs: Any) -> ToolCallingAgent:
    model = kwargs.pop("model", None) or ScriptedModel([tool_calls(tool_call("final_answer", {"answer": 1}))])
    return ToolCallingAgent([lookup], model=model, prompt_templates=templates, verbosity_level=-1, **kwargs)


@pytest.mark.parametrize("name", NAMES)
def test_the_defaults_are_complete(name: str):
    templates = default_templates(name)
    assert set(templates) == {"system_prompt", "planning", "managed_agent", "final_answer"}
    assert copy_templates(templates) == templates


def test_variables_are_filled_in():
    assert populate_template("{{a}} and {{b.c}}", {"a": 1, "b": {"c": "x"}}) == "1 and x"
    assert populate_template("{% for k in ks %}<{{k}}>{% endfor %}", {"ks": ["a", "b"]}) == "<a><b>"
    assert populate_template("{{a}}", {"a": "<b>&"}) == "<b>&"


def test_what_is_filled_in_is_not_rendered_again():
    assert populate_template("{{a}}", {"a": "{{7 * 7}}"}) == "{{7 * 7}}"


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{missing}}", "missing"),
        ("{{a.missing.more}}", "missing"),
        ("{% for %}", "TemplateSyntaxError"),
        ("{{ a", "TemplateSyntaxError"),
        ("{% include 'x' %}", "no loader"),
        ("{{ 1 / 0 }}", "ZeroDivisionError|division"),
    ],
)
def test_a_template_that_cannot_be_rendered_says_why(template: str, message: str):
    with pytest.raises(ValueError, match=f"(?s)cannot render the prompt template.*({message})"):
        populate_template(template, {"a": {}})


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ a.__class__ }}",
        "{{ a.__init__.__globals__ }}",
        "{{ f.__globals__ }}",
        "{{ f.__code__ }}",
        "{{ '{0.__class__}'.format(a) }}",
        "{{ '%s'|format(a) ~ self.__class__ }}",
        "{{ cycler.__init__.__globals__.os.system('true') }}",
        "{{ lipsum.__globals__ }}",
        "{{ joiner.__init__.__globals__ }}",
        "{{ namespace.__init__.__globals__ }}",
        "{{ self._TemplateReference__context }}",
        "{{ a|attr('__class__')|attr('__mro__') }}",
        "{{ items.append(1) }}",
        "{{ items.clear() }}",
        "{% set _ = mapping.update({'x': 1}) %}",
        "{{ range(1000000000)|list }}",
    ],
)
def test_a_template_cannot_execute_code_or_change_what_it_is_given(template: str):
    items, mapping = [1], {"k": 1}

    class Thing:
        pass

    def f() -> None:
        raise AssertionError("called")

    variables = {"a": Thing(), "f": f, "items": items, "mapping": mapping}
    try:
        shown = populate_template(template, variables)
    except ValueError:
        pass
    else:  # the sandbox also hides what is unsafe, as if it were not there
        assert "globals" not in shown
        assert "<class" not in shown
    assert (items, mapping) == ([1], {"k": 1})


@pytest.mark.parametrize(
    "attack",
    [
        "{{ tools.lookup('x') }}",
        "{{ tools.lookup.forward('x') }}",
        "{{ tools.lookup.__call__('x') }}",
        "{{ tools.lookup._code.__self__.forward('x') }}",
        "{{ tools.lookup.to_code_prompt.__self__ }}",
        "{{ tools.lookup.to_code_prompt.__func__.__globals__ }}",
        "{{ managed_agents.helper.run('x') }}",
        "{{ managed_agents.helper('x') }}",
        "{{ managed_agents.helper.model }}",
    ],
)
def test_a_template_cannot_call_a_tool_or_an_agent(attack: str):
    called = []

    @tool
    def lookup(word: str) -> str:
        """Looks a word up.

        Args:
            word: The word.
        """
        called.append(word)
        return word

    helper = agent_with(name="helper", description="Helps.", model=ScriptedModel([]))
    templates = copy.deepcopy(agent_with().prompt_templates)
    templates["system_prompt"] = attack
    agent = ToolCallingAgent([lookup], ScriptedModel([]), templates, managed_agents=[helper], verbosity_level=-1)
    with pytest.raises(ValueError, match="cannot render"):
        agent.run("go")
    assert called == []
    assert helper.model.requests == []


def test_custom_templates_see_the_tools():
    templates = copy.deepcopy(agent_with().prompt_templates)
    templates["system_prompt"] = (
        "{% for tool in tools.values() %}{{tool.name}}|{{tool.description}}|{{tool.inputs['word'].type if tool.name =="
        " 'lookup' else ''}}|{{tool.output_type}}\n{% endfor %}{{custom_instructions}}"
    )
    agent = agent_with(templates, instructions="Be brief.")
    assert agent.run("go") == 1
    prompt = agent.model.requests[0].messages[0].text
    assert "lookup|Looks a word up.|string|string\n" in prompt
    assert "final_answer|" in prompt
    assert prompt.endswith("Be brief.")


@pytest.mark.parametrize(
    ("path", "named"),
    [
        (("system_prompt",), "['system_prompt']"),
        (("planning",), "['planning']['plan'], ['planning']['update_plan_pre_messages']"),
        (("planning", "update_plan_post_messages"), "['planning']['update_plan_post_messages']"),
        (("managed_agent", "report"), "['managed_agent']['report']"),
        (("final_answer", "pre_messages"), "['final_answer']['pre_messages']"),
    ],
)
def test_what_is_missing_is_named(path: tuple[str, ...], named: str):
    templates: Any = copy.deepcopy(agent_with().prompt_templates)
    part = templates
    for key in path[:-1]:
        part = part[key]
    del part[path[-1]]
    with pytest.raises(ValueError, match="prompt_templates lacks") as caught:
        agent_with(templates)
    assert named in str(caught.value)


def test_what_is_no_template_is_refused():
    templates: Any = copy.deepcopy(agent_with().prompt_templates)
    templates["planning"]["plan"] = 3
    with pytest.raises(TypeError, match=r"\['planning'\]\['plan'\] must be a string"):
        agent_with(templates)
    with pytest.raises(TypeError, match="must be a dictionary"):
        agent_with("You are an agent.")


def test_templates_can_be_written_with_their_types():
    templates = PromptTemplates(
        system_prompt="You call {{tools.keys()|join(' and ')}}.",
        planning=PlanningPromptTemplate(plan="p", update_plan_pre_messages="a", update_plan_post_messages="b"),
        managed_agent=ManagedAgentPromptTemplate(task="{{name}}: {{task}}", report="{{final_answer}}"),
        final_answer=FinalAnswerPromptTemplate(pre_messages="x", post_messages="{{task}}"),
    )
    agent = agent_with(templates)
    agent.run("go")
    assert agent.model.requests[0].messages[0].text == "You call lookup and final_answer."


def test_each_agent_has_templates_of_its_own():
    first, second = agent_with(), agent_with()
    first.prompt_templates["system_prompt"] = "changed"
    first.prompt_templates["planning"]["plan"] = "changed"
    assert first.system_prompt == "changed"
    assert "changed" not in (second.system_prompt, second.prompt_templates["planning"]["plan"])
    given = copy.deepcopy(second.prompt_templates)
    third = agent_with(given)
    given["planning"]["plan"] = "changed"
    assert third.prompt_templates["planning"]["plan"] != "changed"


def test_the_system_prompt_is_not_set_but_rendered():
    agent = agent_with()
    with pytest.raises(AttributeError, match=r"prompt_templates\['system_prompt'\]|instructions"):
        agent.system_prompt = "x"
    assert agent.initialize_system_prompt() == agent.system_prompt


@pytest.mark.parametrize("compact", [False, True])
def test_the_prompt_lists_the_tools_and_the_team(compact: bool):
    model = ScriptedModel([])
    model.prefers_compact_prompts = compact
    helper = agent_with(name="helper", description="Knows all about ships.", model=ScriptedModel([]))
    agent = agent_with(model=model, managed_agents=[helper], instructions="Answer in French.")
    prompt = agent.system_prompt
    for text in ("lookup", "Looks a word up.", "final_answer", "helper", "about ships", "in French"):
        assert text in prompt
    assert compact or "The word." in prompt
    assert len(prompt) < (3_000 if compact else 5_000)


def test_the_compact_prompt_is_shorter():
    small = ScriptedModel([])
    small.prefers_compact_prompts = True
    assert len(agent_with(model=small).system_prompt) < len(agent_with().system_prompt)


@pytest.mark.parametrize("name", NAMES)
def test_the_worked_examples_are_valid_python(name: str):
    """The prompt teaches by example: what it shows has to be right."""
    from smolagents.agents.parsing import parse_code_blobs

    template = default_templates(name)["system_prompt"]
    opening, closing = "{{code_block_opening_tag}}", "{{code_block_closing_tag}}"
    blocks = [part.split(closing)[0] for part in template.split(opening)[1:]]
    examples = [block for block in blocks if block.startswith("\n") and "{%" not in block]
    assert bool(examples) == name.startswith("code_agent")
    for block in examples:
        ast.parse(block.strip())
    for line in template.splitlines():
        if line.startswith('{"thought"'):
            import json

            reply = json.loads(line)
            assert reply["thought"]
            if "code" in reply:
                ast.parse(parse_code_blobs(reply["code"]))
            else:
                assert {"name", "arguments"} <= reply.keys()


def test_the_first_plan_may_go_by_its_earlier_name():
    templates = copy_templates(CodeAgent([], model=ScriptedModel([])).prompt_templates)
    templates["planning"]["initial_plan"] = templates["planning"].pop("plan")
    agent = CodeAgent([], model=ScriptedModel([]), prompt_templates=templates)
    assert agent.prompt_templates["planning"]["plan"] == templates["planning"]["initial_plan"]
