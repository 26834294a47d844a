"""What is wrong with a JSON text is said in our words, with its place."""

import pytest

from campaigns.errors import BadForm, BadRule
from campaigns.segments.reading import decode
from campaigns.surveys.form import parse_form


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "it is empty"),
        ("  \n", "it is empty"),
        ("{", "line 1, character 2: a name in double quotes is missing"),
        ('{"a" 1}', "line 1, character 6: a colon is missing"),
        ('{"a": 1\n "b": 2}', "line 2, character 2: a comma is missing"),
        ('{"a": }', "line 1, character 7: a value is missing"),
        ('{"a": 1} x', "line 1, character 10: something follows"),
        ('{"a": "x', "line 1, character 7: the closing quote"),
        ('{"a": "x\ny"}', "line 1, character 9: a line break"),
        (b"\xff\xff", "not UTF-8"),
    ],
)
@pytest.mark.parametrize(("read", "error"), [(decode, BadRule), (parse_form, BadForm)])
def test_a_broken_json_is_said_in_our_words(read, error, text, words):
    with pytest.raises(error) as caught:
        read(text)
    said = str(caught.value.problems[0])
    assert words in said
    assert "Expecting" not in said
