"""A form is read whole or refused with every problem and its path."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.errors import BadForm
from campaigns.surveys.form import Choice, Form, Question, QuestionType, Wording, parse_form, write_form

KEYS = st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True)
TEXTS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=40).filter(str.strip)
LANGUAGES = st.sampled_from(["en", "de", "de-AT", "zh-Hant-TW", "el", "ar"])
WORDINGS = st.one_of(
    TEXTS.map(lambda text: Wording((("", text),))),
    st.dictionaries(LANGUAGES, TEXTS, min_size=1).map(lambda texts: Wording(tuple(texts.items()))),
)
OPTIONAL = st.one_of(st.just(Wording()), WORDINGS)
NAMES = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=30)


@st.composite
def questions(draw, key, attribute):
    kind = draw(st.sampled_from(QuestionType))
    given = {}
    if kind in {QuestionType.SINGLE, QuestionType.MULTIPLE}:
        keys = draw(
            st.lists(
                st.from_regex(r"[A-Za-z0-9][\w.-]{0,9}", fullmatch=True).filter(str.isascii),
                min_size=2,
                max_size=5,
                unique=True,
            )
        )
        given["choices"] = tuple(Choice(each, draw(WORDINGS)) for each in keys)
    if kind is QuestionType.SCALE:
        given["low"] = draw(st.integers(0, 9))
        given["high"] = draw(st.integers(given["low"] + 1, 10))
        given |= {"low_text": draw(OPTIONAL), "high_text": draw(OPTIONAL)}
    if kind is QuestionType.PRODUCT:
        given |= draw(
            st.one_of(
                st.lists(NAMES, min_size=1, max_size=4, unique=True).map(lambda skus: {"skus": tuple(skus)}),
                NAMES.map(lambda name: {"category": name}),
            )
        )
    return Question(key, kind, draw(WORDINGS), draw(st.booleans()), attribute, **given)


@st.composite
def forms(draw):
    keys = draw(st.lists(KEYS, min_size=1, max_size=5, unique=True))
    return Form(
        draw(WORDINGS),
        tuple(draw(questions(key, f"a_{key}" if draw(st.booleans()) else None)) for key in keys),
        draw(OPTIONAL),
        draw(OPTIONAL),
    )


FULL = {
    "version": 1,
    "title": {"en": "Your visit", "de": "Ihr Besuch"},
    "intro": "Five short questions.",
    "thanks": {"en": "Thank you", "de": "Danke"},
    "questions": [
        {"key": "nps", "type": "scale", "text": "Recommend?", "required": True, "attribute": "nps"},
        {
            "key": "channel",
            "type": "single",
            "text": {"en": "How?"},
            "choices": [{"key": "mail", "text": "Mail"}, {"key": "phone", "text": "Phone"}],
        },
        {"key": "topics", "type": "multiple", "text": "Which?", "choices": [{"key": "a", "text": "A"}]},
        {"key": "why", "type": "text", "text": "Why?"},
        {"key": "products", "type": "product", "text": "What next?", "category": "Garden"},
    ],
}


def changed(path, value):
    """Put a value into a copy of the full form; `...` takes the field away."""
    form = json.loads(json.dumps(FULL))
    target = form
    for step in path[:-1]:
        target = target[step]
    if value is ...:
        del target[path[-1]]
    else:
        target[path[-1]] = value
    return form


@given(forms())
@settings(max_examples=100, deadline=None)
def test_a_written_form_is_read_back_equal(form):
    assert parse_form(write_form(form)) == form
    assert parse_form(json.dumps(write_form(form))) == form


def test_the_full_form_is_read():
    form = parse_form(FULL)
    assert [question.type.value for question in form.questions] == [
        "scale",
        "single",
        "multiple",
        "text",
        "product",
    ]
    assert (form.questions[0].low, form.questions[0].high, form.questions[0].attribute) == (0, 10, "nps")
    assert form.languages() == ("en", "de")
    assert form.question("why").text.read("de") == "Why?"
    assert form.question("nothing") is None


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("de", "Hallo"),
        ("de-AT", "Servus"),
        ("de_at", "Servus"),
        ("de-CH", "Hallo"),
        ("fr", "Hello"),
        ("", "Hello"),
    ],
)
def test_a_text_is_read_in_the_nearest_language(language, text):
    wording = Wording((("en", "Hello"), ("de", "Hallo"), ("de-AT", "Servus")))
    assert wording.read(language) == text


def test_a_text_for_everybody_is_read_in_any_language():
    assert Wording((("", "Hi"),)).read("de") == "Hi"
    assert Wording().read("de") == ""


@pytest.mark.parametrize(
    ("path", "value", "where", "what"),
    [
        (["version"], 2, "version", "is 2, not 1."),
        (["version"], True, "version", "is True, not 1."),
        (["version"], ..., "version", "is missing, not 1."),
        (["title"], ..., "title", "is missing."),
        (["title"], {}, "title", "is a dict."),
        (["title"], {"en": " "}, "title.en", "is ' '."),
        (["title"], {"english!": "x"}, "title", "has a text for 'english!'."),
        (["title"], {"en": 5}, "title.en", "is 5."),
        (["title"], "x" * 4001, "title", "has 4001 characters."),
        (["title"], "a\0b", "title", "holds '\\x00', which no page can show."),
        (["title"], "a\ud800b", "title", "holds '\\ud800', which no page can show."),
        (["intro"], None, "intro", "is missing."),
        (["colour"], 1, "colour", "is not a field we know."),
        (["questions"], {}, "questions", "is a dict, not a list."),
        (["questions"], [], "questions", "has 0 elements."),
        (["questions", 0], 7, "questions[0]", "is 7, not an object."),
        (["questions", 0, "key"], "Nps", "questions[0].key", "is 'Nps'."),
        (["questions", 0, "key"], "why", "questions", "has the key 'why' twice."),
        (["questions", 3, "attribute"], "nps", "questions", "has the attribute 'nps' twice."),
        (["questions", 3, "attribute"], None, "questions[3].attribute", "is missing."),
        (
            ["questions", 0, "type"],
            "slider",
            "questions[0].type",
            "is 'slider', not one of single, multiple, scale, text, product.",
        ),
        (
            ["questions", 0, "type"],
            [],
            "questions[0].type",
            "is a list, not one of single, multiple, scale, text, product.",
        ),
        (["questions", 0, "required"], 1, "questions[0].required", "is 1, not true or false."),
        (["questions", 0, "low"], 10, "questions[0]", "has a scale from 10 to 10."),
        (["questions", 0, "high"], 11, "questions[0]", "has a scale from 0 to 11."),
        (["questions", 0, "low"], True, "questions[0]", "has a scale from True to 10."),
        (["questions", 0, "choices"], [], "questions[0].choices", "is not a field we know."),
        (["questions", 1, "choices"], ..., "questions[1].choices", "is missing, not a list."),
        (["questions", 1, "choices", 1], ..., "questions[1].choices", "has 1 elements."),
        (["questions", 1, "choices", 1, "key"], "mail", "questions[1].choices", "has the key 'mail' twice."),
        (["questions", 1, "choices", 1, "key"], "a b", "questions[1].choices[1].key", "is 'a b'."),
        (["questions", 1, "choices", 1, "text"], "", "questions[1].choices[1].text", "is ''."),
        (
            ["questions", 1, "choices", 1, "score"],
            1,
            "questions[1].choices[1].score",
            "is not a field we know.",
        ),
        (["questions", 4, "skus"], ["A"], "questions[4]", "needs either skus or a category."),
        (["questions", 4, "category"], ..., "questions[4]", "needs either skus or a category."),
        (["questions", 4, "category"], " x", "questions[4].category", "is ' x'."),
    ],
)
def test_a_problem_is_told_with_its_path(path, value, where, what):
    with pytest.raises(BadForm) as caught:
        parse_form(changed(path, value))
    assert (where, what) in [(problem.where, problem.what) for problem in caught.value.problems]
    assert len(caught.value.problems) <= 2


def test_all_problems_are_told_at_once():
    form = changed(["questions", 0, "key"], "!")
    form["questions"][4]["category"] = 3
    form["title"] = 1
    with pytest.raises(BadForm) as caught:
        parse_form(form)
    assert {problem.where for problem in caught.value.problems} == {
        "title",
        "questions[0].key",
        "questions[4].category",
    }


@pytest.mark.parametrize("source", ["", "{", b"\xff", "[" * 100_000, '{"version": ' + "9" * 5000 + "}"])
def test_what_is_not_json_is_refused(source):
    with pytest.raises(BadForm):
        parse_form(source)


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(st.characters(), max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["key", "type", "text", "en", "choices", "é"]), inner, max_size=3),
    ),
    max_leaves=8,
)
PLACES = st.sampled_from(
    [
        ["title"],
        ["questions"],
        ["questions", 0],
        ["questions", 0, "type"],
        ["questions", 1, "choices"],
        ["questions", 1, "choices", 0],
        ["questions", 2, "text"],
        ["questions", 4, "category"],
    ]
)


@given(PLACES, JSON)
@settings(max_examples=300, deadline=None)
def test_any_json_is_a_form_or_a_list_of_problems(place, value):
    source = changed(place, value)
    problems = problems_of(source)
    assert all(text.isprintable() for problem in problems for text in (problem.where, problem.what))
    if not problems:
        form = parse_form(source)
        assert parse_form(write_form(form)) == form


def problems_of(source):
    try:
        parse_form(source)
    except BadForm as error:
        return error.problems
    return ()


def test_what_is_no_object_at_all_is_one_problem():
    for source in (None, 5, [], "7"):
        (problem,) = problems_of(source)
        assert problem.where == "form"
