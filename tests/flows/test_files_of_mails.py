"""Files of a template, from the store to the wire and to the page that shows the mail."""

from base64 import b64encode
from email import message_from_bytes, policy

from campaigns.flows import previewing
from campaigns.mailing import Signing
from campaigns.records import template_files, templates
from campaigns.templates.files import lost_pictures, on_a_page, read_file
from campaigns.templates.render import compile_source
from campaigns.tracking.tokens import Keyring
from campaigns.values import Attachment, BodyKind, Source
from tests import factories
from tests.pictures import a_png

LOGO = read_file("../Our logo.png", a_png(), within=True)
PRICES = read_file("Preise.pdf", b"%PDF-1.4", within=False)
SOURCE = Source(
    BodyKind.MJML,
    "Hi",
    f"""<mjml><mj-body><mj-section><mj-column>
<mj-image src="cid:{LOGO.content_id}" alt="Us" /><mj-text>Hello <a href="{{{{ links.unsubscribe }}}}">leave</a></mj-text>
</mj-column></mj-section></mj-body></mjml>""",
)
SIGNING = Signing(Keyring(b"secret"), "https://t.example.com")


def save(session, files=None):
    body = (SOURCE, compile_source(SOURCE, (LOGO,)))
    return templates.save(session, "t", "T", [body], author="test", now=factories.NOW, files=files)


def test_a_picture_is_named_by_its_file_and_typed_by_its_bytes():
    assert Attachment("Our logo.png", "image/png", LOGO.data, "Our-logo.png") == LOGO
    assert PRICES.media_type == "application/pdf"


def test_only_a_place_that_shows_a_picture_can_name_one_that_is_not_there():
    html = "<p>cid: is a word</p><img src=CID:a><td style=\"background:url( 'cid:b')\"><img src='cid:Our-logo.png'>"
    assert [problem.what for problem in lost_pictures(html, (LOGO, PRICES))] == [
        "cid:a names no picture of this template.",
        "cid:b names no picture of this template.",
    ]
    assert lost_pictures(None, ()) == []


def test_files_go_with_the_mail_and_are_shown_by_the_page(session):
    version = save(session, (LOGO, PRICES))
    contact = factories.a_contact(session)
    eml, content = previewing.preview(session, "t", contact, SIGNING, now=factories.NOW)
    parts = {part.get_content_type(): part for part in message_from_bytes(eml, policy=policy.default).walk()}
    assert parts["image/png"]["Content-ID"] == "<Our-logo.png>"
    assert parts["image/png"].get_content() == LOGO.data
    assert parts["application/pdf"].get_filename() == "Preise.pdf"
    assert f'src="data:image/png;base64,{b64encode(LOGO.data).decode()}"' in on_a_page(content)
    assert template_files.of_version(session, version) == (LOGO, PRICES)


def test_a_new_version_keeps_its_files_unless_it_says_otherwise_and_old_ones_keep_theirs(session):
    first = save(session, (LOGO, PRICES))
    second, third = save(session), save(session, (LOGO,))
    found = [template_files.of_version(session, version) for version in (first, second, third)]
    assert found == [(LOGO, PRICES), (LOGO, PRICES), (LOGO,)]
