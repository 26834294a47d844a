"""Words from below the pages, said in the reader's language."""

from web.language import said


def test_of_no_words_none_are_said(app):
    with app.test_request_context("/", headers={"Accept-Language": "de"}):
        assert said("") == ""
