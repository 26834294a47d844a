"""Posted answers are read by the form, or refused with every problem."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.errors import BadForm
from campaigns.surveys.answers import Answer, attribute_types, attributes, read_answers, read_click
from campaigns.surveys.form import parse_form

FORM = parse_form(
    {
        "version": 1,
        "title": "T",
        "questions": [
            {"key": "nps", "type": "scale", "text": "?", "required": True, "attribute": "nps"},
            {"key": "stars", "type": "scale", "text": "?", "low": 1, "high": 5},
            {
                "key": "channel",
                "type": "single",
                "text": "?",
                "attribute": "channel",
                "choices": [{"key": key, "text": key} for key in ("mail", "phone")],
            },
            {
                "key": "topics",
                "type": "multiple",
                "text": "?",
                "attribute": "topics",
                "choices": [{"key": key, "text": key} for key in ("news", "offers", "events")],
            },
            {"key": "why", "type": "text", "text": "?", "attribute": "why"},
            {"key": "likes", "type": "product", "text": "?", "skus": ["B-2", "A-1"], "attribute": "likes"},
            {"key": "garden", "type": "product", "text": "?", "category": "Garden"},
        ],
    }
)
GARDEN = {"Garden": {"SPADE", "RAKE"}}


def read(**posted):
    return read_answers(FORM, {"nps": ["9"]} | posted, products=GARDEN)[1:]


def problems(**posted):
    with pytest.raises(BadForm) as caught:
        read_answers(FORM, {"nps": ["9"]} | posted, products=GARDEN)
    return [(problem.where, problem.what) for problem in caught.value.problems]


def test_all_answers_are_read_in_the_forms_order():
    answers = read_answers(
        FORM,
        {
            "garden": ["SPADE", "RAKE"],
            "likes": ["A-1", "B-2"],
            "why": ["  Weil's \r\nso ist. 🌱 "],
            "topics": ["events", "news"],
            "channel": ["phone"],
            "stars": ["5"],
            "nps": ["10"],
            "csrf": ["x", "y"],
        },
        products=GARDEN,
    )
    assert answers == (
        Answer("nps", number=10),
        Answer("stars", number=5),
        Answer("channel", choices=("phone",)),
        Answer("topics", choices=("news", "events")),
        Answer("why", text="Weil's \nso ist. 🌱"),
        Answer("likes", choices=("B-2", "A-1")),
        Answer("garden", choices=("RAKE", "SPADE")),
    )
    assert attributes(FORM, answers) == {
        "nps": 10,
        "channel": "phone",
        "topics": ["news", "events"],
        "why": "Weil's \nso ist. 🌱",
        "likes": ["B-2", "A-1"],
    }


def test_the_attributes_have_the_types_of_their_definitions():
    assert attribute_types(FORM) == {
        "nps": "number",
        "channel": "text",
        "topics": "list",
        "why": "text",
        "likes": "list",
    }


@pytest.mark.parametrize("blank", [[], [""], ["  ", "\t"]])
def test_a_blank_answer_is_none(blank):
    assert read(why=blank, channel=blank, topics=blank, stars=blank, likes=blank) == ()


def test_text_of_control_characters_alone_is_no_answer():
    assert read(why=["\0\x01"]) == ()


def test_a_required_question_needs_an_answer():
    assert problems(nps=[" "]) == [("nps", "has no answer.")]
    with pytest.raises(BadForm):
        read_answers(FORM, {})


@pytest.mark.parametrize("number", ["11", "-1", "+3", "03", "3.0", "1e1", "٣", "３", " 3", "nan", "9" * 5000])
def test_only_plain_numbers_of_the_scale_are_answers(number):
    assert problems(nps=[number]) == [("nps", "is not a number of this scale.")]


@pytest.mark.parametrize("number", ["0", "6"])
def test_a_scale_has_its_own_ends(number):
    assert problems(stars=[number]) == [("stars", "is not a number of this scale.")]


@pytest.mark.parametrize(
    ("key", "posted", "what"),
    [
        ("channel", ["fax"], "has a choice that was not offered."),
        ("channel", ["mail", "phone"], "has more than one answer."),
        ("channel", ["MAIL"], "has a choice that was not offered."),
        ("nps", ["9", "9"], "has more than one answer."),
        ("topics", ["news", "spam"], "has a choice that was not offered."),
        ("topics", ["news", "news"], "has the same choice twice."),
        ("why", ["a", "b"], "has more than one answer."),
        ("why", ["x" * 4001], "has 4001 characters."),
        ("likes", ["SPADE"], "has a choice that was not offered."),
        ("garden", ["A-1"], "has a choice that was not offered."),
        ("garden", [5], "is not made of texts."),
        ("garden", "RAKE", "is not made of texts."),
    ],
)
def test_a_hostile_answer_is_refused_at_its_question(key, posted, what):
    assert problems(**{key: posted}) == [(key, what)]


def test_a_category_without_products_offers_none():
    with pytest.raises(BadForm):
        read_answers(FORM, {"nps": ["9"], "garden": ["RAKE"]})


def test_all_problems_are_told_at_once():
    assert [where for where, _ in problems(nps=[], channel=["x"], why=["y" * 5000], likes=["z"])] == [
        "nps",
        "channel",
        "why",
        "likes",
    ]


@given(st.text(st.characters(), max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_text_becomes_one_that_can_be_stored(text):
    for answer in read(why=[text]):
        answer.text.encode()
        assert answer.text == answer.text.strip() != ""
        assert "\0" not in answer.text
        assert "\r" not in answer.text
        assert read(why=[answer.text]) == (answer,)


@given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Zs", "Zl", "Zp"]), min_size=1, max_size=100))
@settings(max_examples=100, deadline=None)
def test_what_people_write_stays_as_it_is(text):
    assert read(why=[text]) == (Answer("why", text=text),)


@given(
    st.dictionaries(
        st.sampled_from([q.key for q in FORM.questions]),
        st.lists(st.text(st.characters(), max_size=6), max_size=3),
    )
)
@settings(max_examples=200, deadline=None)
def test_anything_posted_is_answers_or_problems(posted):
    assert outcome(posted) <= {question.key for question in FORM.questions}


def outcome(posted):
    """The keys of what was answered, or else of what was refused."""
    try:
        return {answer.question for answer in read_answers(FORM, posted, products=GARDEN)}
    except BadForm as error:
        return {problem.where for problem in error.problems}


@pytest.mark.parametrize(
    ("key", "value", "answer"),
    [
        ("nps", "9", Answer("nps", number=9)),
        ("channel", "mail", Answer("channel", choices=("mail",))),
        ("nps", "11", None),
        ("nps", "", None),
        ("channel", "fax", None),
        ("topics", "news", None),
        ("why", "because", None),
        ("likes", "A-1", None),
        ("nothing", "1", None),
    ],
)
def test_a_click_in_a_mail_answers_a_scale_or_a_single_choice(key, value, answer):
    assert read_click(FORM, key, value) == answer
