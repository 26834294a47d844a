"""Templates by the name that a person types: a key of ours, a starter, a file."""

import pytest

from campaigns.errors import NotFound
from campaigns.records import named_templates, templates
from campaigns.templates import starters
from campaigns.templates.render import compile_source
from tests import factories


def test_each_name_that_could_be_meant_is_told_once(session):
    letter = starters.load("letter", "en")
    templates.save(
        session, "letter", "Ours", [(letter, compile_source(letter))], author="test", now=factories.NOW
    )
    with pytest.raises(NotFound) as caught:
        named_templates.find(session, "leter")
    told = str(caught.value).partition("Templates: ")[2].partition(";")[0].split(", ")
    assert sorted(told) == sorted(starters.NAMES)
