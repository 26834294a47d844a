"""A contact's level of tracking decides what of a mail can tell of them, on both ways a mail is made."""

import re
from dataclasses import replace
from email import message_from_bytes, policy

import pytest

from campaigns.mailing.opening import _Untracked
from campaigns.tracking.tokens import Purpose
from campaigns.values import Tracking
from tests.mailing.people import NOW, letter, mailing, recipient

HTML = """<html><body><p>Hi {{ contact.given_name|default("you") }}</p>
<a href="https://shop.example.com/a?x=1&amp;y=2">A</a> {% for p in products %}{% if p.url %}<a href="{{ p.url }}">p</a>{% endif %}{% endfor %}
<a href="{{ links.unsubscribe }}">Leave</a> <a href="{{ links.preferences }}">Choose</a></body></html>"""
BODY = letter(HTML, "Hi, see https://shop.example.com/a\n")
NUMBERED = {"https://shop.example.com/p/1": 2, "https://shop.example.com/p/3": 3}


def tracked(default=Tracking.INDIVIDUAL):
    made = mailing(BODY, numbered=NUMBERED)
    made = replace(made, signing=replace(made.signing, tracking=default))
    return replace(made, untracked=_Untracked(made, [BODY]))


def html_of(raw):
    return (
        message_from_bytes(raw, policy=policy.default).get_body(("html",)).get_content().replace("\r\n", "\n")
    )


def mails(made, whom):
    """The mail as it is pressed, and as it is made plainly."""
    pressed = made.mail(whom, bought=[], now=NOW).data
    off = made.signing.level(whom.contact) is Tracking.OFF
    plain = (made.untracked() if off else made).plain(whom, bought=[], now=NOW).data
    assert html_of(pressed) == html_of(plain)
    return html_of(pressed)


def tokens(made, html):
    """What the pixel's and the links' tokens say: (run, seq, contact)."""
    found = re.findall(r"/([oc])/([\w-]{36})", html)

    purposes = {"o": Purpose.OPEN, "c": Purpose.CLICK}
    return {tuple(made.signing.keyring.read(purposes[page], text))[1:] for page, text in found}


def test_an_individual_mail_names_its_message() -> None:
    made = tracked()
    html = mails(made, recipient(5, given_name="Ada"))
    assert tokens(made, html) == {(7, 5, 1005)}
    assert html.count("/c/") == 4  # the link, two products, and the one that nobody sees


def test_aggregate_mails_have_the_same_pixel_and_links_for_all() -> None:
    made = tracked()
    one, other = (mails(made, recipient(seq, given_name="Ada", tracking="aggregate")) for seq in (5, 6))
    assert tokens(made, one) == {(7, 0, 0)}
    own = re.compile(r"/[up]/[\w-]{36}")  # leaving and choosing stay one's own
    assert own.sub("", one) == own.sub("", other)
    assert one != other


def test_a_mail_without_tracking_has_plain_links_and_no_pixel() -> None:
    made = tracked()
    html = mails(made, recipient(5, given_name="Ada", tracking="off"))
    assert tokens(made, html) == set()
    assert "<img" not in html
    assert 'href="https://shop.example.com/a?x=1&amp;y=2"' in html
    assert 'href="https://shop.example.com/p/1"' in html
    assert "/u/" in html


@pytest.mark.parametrize("default", Tracking)
@pytest.mark.parametrize("chosen", [None, *Tracking])
def test_what_a_contact_chose_goes_before_what_the_installation_does(default, chosen) -> None:
    made = tracked(default)
    html = mails(made, recipient(5, given_name="Ada", tracking=chosen and chosen.value))
    said = {Tracking.INDIVIDUAL: {(7, 5, 1005)}, Tracking.AGGREGATE: {(7, 0, 0)}, Tracking.OFF: set()}
    assert tokens(made, html) == said[chosen or default]


def test_the_hidden_link_stands_in_the_html_alone() -> None:
    raw = tracked().mail(recipient(5, given_name="Ada"), bought=[], now=NOW).data
    text = message_from_bytes(raw, policy=policy.default).get_body(("plain",)).get_content()
    assert "/c/" not in text
    assert (
        len(re.findall(r'<a href="[^"]*/c/[\w-]{36}/0" aria-hidden="true" tabindex="-1"', html_of(raw))) == 1
    )
