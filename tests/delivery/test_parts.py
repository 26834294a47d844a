"""Files that go with a mail, read back by the standard library's parser and by EmailMessage's own habits."""

from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from campaigns.delivery.compose import compose
from campaigns.errors import BadInput
from campaigns.values import Attachment, Content
from tests.delivery.test_compose import LETTER, all_defects, assert_fit_for_the_wire

LOGO = Attachment("logo.png", "image/png", b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "logo")
PRICES = Attachment("Preisliste für 2027 – “neu”.pdf", "application/pdf", b"%PDF-1.4 ." * 50)
NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=200).filter(
    lambda name: name == name.strip()
)
FILES = st.builds(
    Attachment,
    NAMES,
    st.sampled_from(["image/png", "application/pdf", "text/calendar", "application/octet-stream"]),
    st.binary(max_size=300),
    st.none() | st.from_regex(r"[a-z][a-z0-9._-]{0,20}", fullmatch=True),
)


def read(files, html="<p>Hi</p>\n"):
    data = compose(replace(LETTER, content=Content("Hi", html, "Hi\n", tuple(files)))).data
    assert_fit_for_the_wire(data)
    message = message_from_bytes(data, policy=policy.default)
    assert all_defects(message) == []
    return message


def outline(part):
    """Types of a mail and of all its parts, nested as they are."""
    if part.is_multipart():
        return (part.get_content_type(), [outline(one) for one in part.iter_parts()])
    return part.get_content_type()


def as_the_library_makes_it(files, html):
    message = EmailMessage()
    message.set_content("Hi")
    if html is not None:
        message.add_alternative(html, subtype="html")
    for one in files:
        main, sub = one.media_type.split("/")
        if one.content_id is not None and html is not None:
            message.get_payload()[1].add_related(one.data, main, sub, cid=f"<{one.content_id}>")
    for one in files:
        main, sub = one.media_type.split("/")
        if one.content_id is None or html is None:
            message.add_attachment(one.data, main, sub, filename="x")
    return outline(message)


@settings(max_examples=150, deadline=None)
@given(st.lists(FILES, max_size=4, unique=True), st.sampled_from([None, "<p>Hi</p>\n"]))
@example([PRICES, LOGO], "<img src='cid:logo'>")
def test_files_read_back_as_they_were_and_stand_where_the_library_puts_them(files, html):
    message = read(files, html)
    assert outline(message) == as_the_library_makes_it(files, html)
    parts = [part for part in message.walk() if part.get_content_disposition()]
    ordered = [one for one in files if one.content_id and html] + [
        one for one in files if not (one.content_id and html)
    ]
    assert [part.get_payload(decode=True) for part in parts] == [one.data for one in ordered]
    assert [part.get_filename() for part in parts] == [one.name for one in ordered]
    assert [part["Content-ID"] for part in parts] == [
        one.content_id and f"<{one.content_id}>" for one in ordered
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "a\r\nBcc: x"},
        {"name": ""},
        {"name": "x" * 201},
        {"media_type": "image/png\r\nX: y"},
        {"media_type": "image"},
        {"media_type": "message/rfc822"},
        {"content_id": "a b"},
        {"content_id": "a>\r\nX: y"},
    ],
)
def test_a_file_that_fits_no_header_is_refused(changes):
    with pytest.raises(BadInput):
        read([replace(LOGO, **changes)])
