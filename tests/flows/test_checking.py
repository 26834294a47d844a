"""What speaks against sending: every finding comes with its cause and goes with it."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from campaigns.delivery.dkim import Algorithm
from campaigns.flows import audience, checking
from campaigns.mailing import Signing
from campaigns.model.mail import runs
from campaigns.records import campaigns, dkim_keys, history, segments, surveys
from campaigns.surveys.form import parse_form
from campaigns.templates.preflight import Level
from campaigns.templates.preflight.duty import LEGAL
from campaigns.templates.preflight.findings import RANK
from campaigns.tracking.tokens import Keyring
from campaigns.values import EventKind, Fact, TopicClass
from tests.factories import HTML, NOW, SECRET, a_campaign, a_contact, a_run, a_template, a_topic, template_of

SIGNING = Signing(Keyring(SECRET), "https://mail.shop.example")
TESTED = "No test mail has been sent."
GOOD = HTML.replace("<html>", '<html lang="en"><head><meta name="color-scheme" content="light dark"></head>')
GOOD = GOOD.replace("</p>", " and thank you for reading what we made for you this spring; here it is.</p>", 1)


def ready(session, *, people=({},), html=HTML, **over):
    topic = a_topic(session)
    made = [a_contact(session, topic=topic, **person) for person in people]
    segments.save(
        session, f"all{topic}", "All", {"version": 1, "rule": {"everyone": True}}, author="t", now=NOW
    )
    template = template_of(session, a_template(session, html=html))
    campaign = a_campaign(
        session,
        topic=topic,
        **{"segment_id": segments.find(session, f"all{topic}"), "template_id": template} | over,
    )
    return campaign, made


def a_key(session):
    made = dkim_keys.add(session, "shop.example", "one", Algorithm.RSA, public="x", sealed=b"x", now=NOW)
    return made.id


def found(session, number, *, now=NOW, signing=SIGNING):
    campaign = campaigns.get(session, number)
    reach = audience.reach(session, campaign, now)
    return [str(one) for one in checking.check(session, campaign, reach=reach, signing=signing, now=now)]


def test_nothing_speaks_against_a_good_campaign_but_that_it_is_untested(session):
    dkim_keys.activate(session, a_key(session), now=NOW)
    campaign, _ = ready(session, html=GOOD)
    assert found(session, campaign) == [f"{TESTED} Send one to yourself and read it on a phone."]


def test_what_people_lack_is_counted_over_all_of_them(session):
    campaign, _ = ready(session, people=[{}, {"given_name": None}, {"given_name": ""}])
    assert (
        "2 of 3 people have no first name; they read the template's fallback. Look at the preview, worst first."
        in found(session, campaign)
    )


def test_what_the_template_does_not_name_is_not_asked_for(session):
    campaign, _ = ready(session, people=[{"city": None}])
    assert not [words for words in found(session, campaign) if "city" in words]


def test_a_template_that_fails_for_somebody_is_a_blocker_with_the_reason(session):
    html = HTML.replace("</body>", "<p>{{ contact.city }}</p></body>")
    campaign, _ = ready(session, people=[{"city": "Bonn"}, {}], html=html)
    [words] = [words for words in found(session, campaign) if words.startswith("It fails for")]
    assert words.startswith("It fails for 1 of 2 people tried: body: ")
    assert "contact.city" in words


@pytest.mark.parametrize(
    ("words", "public_url", "tracking", "told"),
    [
        ("www.shop.example", "https://links.elsewhere.example", True, True),
        ("www.shop.example", "https://mail.shop.example", True, False),
        ("www.shop.example", "https://links.elsewhere.example", False, False),
        ("Our shop", "https://links.elsewhere.example", True, False),
    ],
)
def test_an_address_as_a_links_words_does_not_go_with_counted_clicks(
    session, words, public_url, tracking, told
):
    html = GOOD.replace(">One<", f">{words}<")
    campaign, _ = ready(session, html=html, tracking=tracking)
    said = found(session, campaign, signing=Signing(Keyring(SECRET), public_url))
    assert (
        any("with its clicks counted, leads by way of links.elsewhere.example" in one for one in said) == told
    )


@pytest.mark.parametrize(
    ("kind", "level"),
    [
        (TopicClass.MARKETING, Level.BLOCKER),
        (TopicClass.SERVICE, Level.BLOCKER),
        (TopicClass.TRANSACTIONAL, Level.WARNING),
    ],
)
def test_only_a_receipt_may_go_without_a_way_out_and_a_postal_address(session, kind, level):
    bare = GOOD.replace("{{ sender.postal_address }}", "").replace(
        "{{ links.unsubscribe }}", "{{ links.view }}"
    )
    number, _ = ready(session, html=bare)
    campaigns.edit(session, number, now=NOW, topic_id=a_topic(session, kind))
    one = campaigns.get(session, number)
    told = checking.check(session, one, reach={"mailable": 1}, signing=SIGNING, now=NOW)
    assert {each.level for each in told if each.what in LEGAL} == {level}
    assert sum(each.what in LEGAL for each in told) == 2


def test_languages_that_the_template_lacks_are_named(session):
    campaign, _ = ready(
        session, people=[{"locale": "el"}, {"locale": "el-GR"}, {"locale": "fr"}, {"locale": "en-GB"}, {}]
    )
    assert (
        "3 people read a language that the template does not have (most of them: el). They get it in en."
        in found(session, campaign)
    )


def test_people_who_just_had_a_mail_are_counted(session):
    campaign, [contact] = ready(session)
    history.record(session, Fact(EventKind.SENT, NOW - timedelta(hours=23), "sent:1:1", contact, None, 1, 1))
    assert (
        "1 of these people had a mail from us in the last 24 hours. Wait a day, or set a frequency cap."
        in found(session, campaign)
    )
    assert not [
        words for words in found(session, campaign, now=NOW + timedelta(hours=2)) if "24 hours" in words
    ]


def test_an_audience_far_larger_than_before_is_remarked(session, monkeypatch):
    monkeypatch.setattr(checking.who, "FEW", 2)
    campaign, _ = ready(session, people=[{}] * 5)
    assert not [words for words in found(session, campaign) if "It is large" in words]
    other = a_run(session, ready(session)[0])
    session.execute(sa.update(runs).where(runs.c.id == other).values(mailable=2, frozen_at=NOW))
    assert [
        words
        for words in found(session, campaign)
        if words.startswith("It is large: 5 recipients; the largest of the last 1 sends had 2.")
    ]


def test_a_survey_and_a_template_must_lead_to_each_other(session):
    form = parse_form(
        {"version": 1, "title": "Visit", "questions": [{"key": "why", "type": "text", "text": "Why?"}]}
    )
    surveys.save(session, "visit", "Visit", form, author="t", now=NOW)
    survey = surveys.find(session, "visit")
    campaign, _ = ready(session, survey_id=survey)
    assert [words for words in found(session, campaign) if words.startswith("A survey is chosen, but")]
    leading = HTML.replace("</body>", '<a href="{{ links.survey }}">Answer</a></body>')
    both, _ = ready(session, survey_id=survey, html=leading)
    assert not [
        words for words in found(session, both) if words.startswith(("A survey", "The template speaks"))
    ]
    neither, _ = ready(session, html=leading)
    assert [words for words in found(session, neither) if words.startswith("The template speaks of a survey")]


def test_a_pace_that_does_not_fit_into_the_time_is_a_blocker(session, monkeypatch):
    campaign, _ = ready(session, per_minute=1, send_within_hours=1)
    one = campaigns.get(session, campaign)
    many = checking.check(session, one, reach={"mailable": 61}, signing=SIGNING, now=NOW)
    assert [str(finding) for finding in many if finding.card == "when"] == [
        "At 1 a minute it takes longer than the 1 hours after which the rest expires. Send faster, or give it more time."
    ]
    assert not [
        f
        for f in checking.check(session, one, reach={"mailable": 60}, signing=SIGNING, now=NOW)
        if f.card == "when"
    ]


def test_addresses_without_encryption_are_a_warning(session):
    campaign, _ = ready(session)
    words = found(session, campaign, signing=Signing(Keyring(SECRET), "http://127.0.0.1:8026"))
    assert [one for one in words if one.startswith("Links in the mail lead to http://127.0.0.1:8026")]


def test_blockers_come_first(session):
    campaign, _ = ready(session, people=[])
    levels = [
        one.level
        for one in checking.check(
            session, campaigns.get(session, campaign), reach={}, signing=SIGNING, now=NOW
        )
    ]
    assert levels == sorted(levels, key=RANK.__getitem__)
    assert levels[0] is Level.BLOCKER


def test_a_sentence_with_a_per_cent_sign_or_braces_of_its_own_is_said_as_it_is(session):
    html = HTML.replace("</body>", '<a href="https://example.com/100%25">%(x)s</a></body>')
    campaign, _ = ready(session, html=html)
    assert "The link https://example.com/100%25 leads nowhere. Put in the real address." in found(
        session, campaign
    )


def test_of_a_name_without_a_fallback_it_does_not_say_that_one_is_read(session):
    html = HTML.replace("</body>", "<p>{{ contact.city }}</p></body>")
    campaign, _ = ready(session, people=[{"city": "Bonn"}, {}], html=html)
    words = " ".join(found(session, campaign))
    assert "1 of 2 people have no city; without a fallback they get no mail." in words
    assert "no city; they read the template's fallback" not in words


def test_a_link_that_holds_a_value_is_told_to_be_uncounted_where_clicks_are_counted(session):
    link = "<a href=\"https://shop.example/?city={{ contact.city|default('x')|urlencode }}\">Here</a>"
    html = GOOD.replace("</body>", f"<p>{link}</p></body>")
    tracked, _ = ready(session, html=html)
    untracked, _ = ready(session, html=html, tracking=False)
    what = "holds a value, so its clicks are not counted"
    assert [what in one for one in found(session, tracked)].count(True) == 1
    assert not any(what in one for one in found(session, untracked))


def test_the_link_to_a_survey_that_is_chosen_is_there_for_everybody(session):
    questions = [{"key": "q", "type": "text", "text": "Well?"}]
    form = parse_form({"version": 1, "title": "Visit", "questions": questions})
    html = GOOD.replace("</body>", '<p><a href="{{ links.survey }}">Say</a></p></body>')
    surveys.save(session, "visit", "Visit", form, author="t", now=NOW)
    gap = "links.survey is shown without a fallback"
    with_it, _ = ready(session, html=html, survey_id=surveys.find(session, "visit"))
    without, _ = ready(session, html=html)
    assert not any(gap in one for one in found(session, with_it))
    assert any(gap in one for one in found(session, without))


def test_the_links_that_are_ours_are_counted_and_not_warned_of(session):
    loops = (
        '{% for one in products %}<a href="{{ one.url }}">{{ one.name }}</a>{% endfor %}'
        '{% for one in survey.scores %}<a href="{{ one.url }}">{{ one.value }}</a>{% endfor %}'
    )
    campaign, _ = ready(session, html=GOOD.replace("</body>", f"<p>{loops}</p></body>"))
    assert not any("holds a value" in one for one in found(session, campaign))
