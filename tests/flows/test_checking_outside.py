"""Where a mail leads, found for real people; what others' answers mean; `postroom check` as it is typed."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from campaigns.cli import _root
from campaigns.delivery.fetching import Answer, Fetcher, Trouble
from campaigns.delivery.fetching.rounds import Wanted
from campaigns.delivery.spam import Rule, Score
from campaigns.flows import checking
from campaigns.flows.checking import people
from campaigns.flows.checking.outside import WHY, judge_differing, judge_links, judge_spam
from campaigns.flows.checking.outward import MOST, Outward, outward
from campaigns.flows.checking.specimen import of_campaign, of_template
from campaigns.mailing import Signing
from campaigns.model.commerce import products
from campaigns.model.lanes import domains
from campaigns.records import campaigns, readers, senders
from campaigns.templates.preflight import Letter, Level
from campaigns.templates.render import compile_source
from campaigns.tracking.tokens import Keyring
from campaigns.values import BodyKind, Sender, Source
from tests.delivery.fetching.web_server import PUBLIC, WebServer, leading_to
from tests.factories import HTML, NOW, SECRET, a_contact, a_topic
from tests.flows.test_checking import GOOD, SIGNING, found, ready
from tests.name_server import NameServer
from tests.web.marketing.outsiders import TABLE, sites

LOOPS = HTML.replace(
    "</body>", '{% for p in products %}{% if p.url %}<a href="{{ p.url }}">{{ p.name }}</a>{% endif %}{% endfor %}</body>'
)  # fmt: skip


def specimen(session, number):
    return of_campaign(session, campaigns.get(session, number), SIGNING, NOW)


def test_links_are_found_once_with_their_words_and_our_own_are_left_out(session):
    body = HTML.replace(
        "</body>", '<a href="https://shop.example/a#top">Again</a><img src="https://shop.example/a"></body>'
    )
    number, _ = ready(session, html=body)
    made = specimen(session, number)
    assert [(one.url, one.picture, one.near, one.line) for one in made.links] == [
        ("https://shop.example/a", False, "One", 2),
        ("https://shop.example/b?x=1&y=2", False, "Two", 2),
        ("https://shop.example/a", True, "", 2),
    ]
    assert b"List-Unsubscribe:" in made.mail


def test_links_that_jinja_makes_are_found_through_real_people(session):
    values = {"name": "Mug", "url": "https://shop.example/mug", "price_minor": 100, "currency": "EUR"}
    session.execute(sa.insert(products).values(sku="p1", **values))
    number, _ = ready(session, html=LOOPS)
    assert "https://shop.example/mug" in [one.url for one in specimen(session, number).links]


OWN = HTML.replace(
    "</body>",
    '<a href="https://shop.example/all?x={{ 1 + 1 }}">All</a>'
    '<a href="https://shop.example/enter?key={{ contact.given_name|urlencode }}">Yours</a>'
    '<img src="https://shop.example/seen?by={{ contact.email|urlencode }}"></body>',
)


@pytest.mark.parametrize("people", [1, 2, 12])
def test_a_readers_own_addresses_are_never_asked_for(session, people):
    number, _ = ready(
        session,
        html=OWN,
        people=[{"email": f"p{at}@x.test", "given_name": f"Eve{at}"} for at in range(people)],
    )
    made = specimen(session, number)
    asked = [one.url for one in made.links]
    assert not [url for url in asked if "x.test" in url or "Eve" in url]
    assert "https://shop.example/all?x=2" in asked
    assert [url for url in asked if url.startswith("https://shop.example/seen?by=")]  # the invented reader's
    assert made.differing == 2 * min(people, 6)
    assert "were not followed" in judge_differing(made.differing)[0].words


def test_inner_addresses_examples_and_other_schemes_are_not_asked_for(session):
    others = ("http://10.0.0.1/", "http://box.local/", "https://shop.example.com/", "mailto:a@b.example")
    more = "".join(f'<a href="{one}">x</a>' for one in others)
    number, _ = ready(session, html=HTML.replace("</body>", f"{more}</body>"))
    assert {one.url for one in specimen(session, number).links} == {
        "https://shop.example/a",
        "https://shop.example/b?x=1&y=2",
    }


def test_addresses_in_plain_text_are_found_too():
    body = "Read it (https://shop.example/a), or https://shop.example/b. {{ links.unsubscribe }}"
    source = Source(BodyKind.TEXT, "s", body)
    letter = Letter(compile_source(source), source)
    assert [one.url for one in outward([letter], [], "https://ours.example")[0]] == [
        "https://shop.example/a",
        "https://shop.example/b",
    ]


def test_of_very_many_links_some_are_asked_for(session):
    many = "".join(f'<a href="https://shop.example/{at}">x</a>' for at in range(MOST + 50))
    number, _ = ready(session, html=HTML.replace("</body>", f"{many}</body>"))
    assert len(specimen(session, number).links) == MOST


def test_a_campaign_whose_segment_is_empty_still_has_a_mail_to_show(session):
    number, _ = ready(session, people=[])
    made = specimen(session, number)
    assert made.links
    assert made.mail


# ---- what answers mean

LINK = Outward("https://shop.example/a", picture=False, near="Our  shop", line=7, languages=("de",))
PICTURE = replace(LINK, picture=True)


def judged(one, **answer):
    return judge_links([one], {one.wanted: Answer(one.url, **answer)})


def test_a_link_that_is_alive_is_no_finding():
    assert judged(LINK, status=200, final="https://www.shop.example/a") == []
    assert judged(PICTURE, status=200, kind="image/png", size=1000) == []


@pytest.mark.parametrize("trouble", [one for one in Trouble if one in WHY])
@pytest.mark.parametrize("one", [LINK, PICTURE])
def test_every_trouble_is_told_with_its_place(one, trouble):
    [finding] = judged(one, trouble=trouble)
    assert finding.level is Level.WARNING
    assert WHY[trouble] in finding.words
    assert (finding.near, finding.line, finding.languages, finding.card) == ("Our shop", 7, ("de",), "what")


def test_every_trouble_is_either_the_sites_or_our_own():
    from campaigns.delivery.fetching.answers import OURS

    assert set(WHY) | OURS == set(Trouble)


@pytest.mark.parametrize(
    ("answer", "level", "words"),
    [
        ({"status": 404}, Level.WARNING, "does not work: its server answers with 404"),
        ({"status": 500}, Level.WARNING, "answers with 500"),
        ({"status": 403}, Level.HINT, "answers our question with 403"),
        ({"status": 429}, Level.HINT, "answers our question with 429"),
        (
            {"status": 200, "final": "https://other.example/"},
            Level.HINT,
            "leads on to another host, other.example",
        ),
        ({"status": 200, "final": "http://shop.example/a"}, Level.WARNING, "without encryption"),
    ],
)
def test_an_answer_is_judged(answer, level, words):
    [finding] = judged(LINK, **answer)
    assert finding.level is level
    assert words in finding.words


@pytest.mark.parametrize(
    ("answer", "level", "words"),
    [
        ({"status": 404}, Level.WARNING, "does not show: its server answers with 404"),
        ({"status": 200, "kind": "text/html"}, Level.WARNING, "is none (text/html)"),
        ({"status": 200, "kind": "image/png", "size": 2_000_000}, Level.WARNING, "has 2 MB"),
        ({"status": 200, "kind": "image/png", "size": 400_000}, Level.HINT, "has 400 KB"),
        (
            {"status": 200, "kind": "image/gif", "size": 800_000, "begins": b"GIF89a\x01\0\x01\0\0\0\0NETSCAPE2.0"},
            Level.WARNING,
            "The animation",
        ),
    ],
)  # fmt: skip
def test_a_pictures_answer_is_judged(answer, level, words):
    [finding] = judged(PICTURE, **answer)
    assert finding.level is level
    assert words in finding.words


@pytest.mark.parametrize("trouble", [Trouble.NO_NAMES, Trouble.NO_NETWORK, Trouble.NOT_ASKED])
def test_a_dead_network_is_one_calm_hint(trouble):
    links = [replace(LINK, url=f"https://shop.example/{at}") for at in range(10)]
    answers = {one.wanted: Answer(one.url, trouble=trouble) for one in links}
    [finding] = judge_links(links, answers)
    assert finding.level is Level.HINT


def test_what_had_no_turn_is_counted_beside_the_others():
    links = [replace(LINK, url=f"https://shop.example/{at}") for at in range(3)]
    answers = {Wanted(one.url): Answer(one.url, trouble=Trouble.NOT_ASKED) for one in links[1:]}
    answers[links[0].wanted] = Answer(links[0].url, 404)
    assert [one.words[:40] for one in judge_links(links, answers)] == [
        "The link https://shop.example/0 does not",
        "2 links could not be checked: the time w",
    ]


def test_nothing_asked_is_nothing_found():
    assert judge_links([], {}) == []


def test_a_filters_score_is_told_as_it_is():
    score = Score("rspamd", 7.46, 15.0, is_spam=True, rules=(Rule("A", 7.46, "one"),))
    assert [(one.level, one.words) for one in judge_spam(score)] == [
        (Level.WARNING, "rspamd takes the mail for spam: 7.5 points, refused from 15.0 on.")
    ]
    assert [one.level for one in judge_spam(replace(score, is_spam=False))] == [Level.HINT]
    assert "POSTROOM_SPAM_URL" in str(judge_spam(None)[0])


# ---- the sender, the readers, the longest mail


@pytest.mark.parametrize(
    ("address", "bounce", "words"),
    [
        ("shop@gmail.com", "bounce.shop.example", "The sender's address is at gmail.com"),
        ("hello@shop.example", "bounce.other.example", "another owner's domain by its name"),
        ("hello@shop.example", "bounce.shop.example", "We sign no mail of shop.example"),
    ],
)
def test_a_sender_that_nobody_can_take_for_itself_is_told(session, address, bounce, words):
    sender = senders.add(session, Sender("Shop", address, bounce, None, "1 Road"), now=NOW)
    number, _ = ready(session, sender_id=sender)
    told = [one for one in found(session, number) if words in one]
    assert len(told) == 1


def test_readers_are_counted_by_their_provider_also_behind_their_own_domain(session):
    topic = a_topic(session)
    for email in ("a@gmail.com", "b@gmail.com", "c@web.de", "d@firm.example", "e@other.example"):
        a_contact(session, email=email, topic=topic)
    session.execute(sa.insert(domains).values(domain="firm.example", lane="microsoft"))
    from campaigns.model.customers import contacts

    assert readers.by_provider(session, sa.select(contacts.c.id)) == {
        "google": 2,
        "gmx": 1,
        "microsoft": 1,
        "other": 1,
    }


def test_programs_of_this_audience_are_named_with_their_share(session):
    html = HTML.replace("</body>", '<div style="display:flex"><p>x</p></div></body>')
    audience = [
        {"email": "a@gmx.de"},
        {"email": "b@gmail.com"},
        {"email": "c@gmail.com"},
        {"email": "d@gmail.com"},
    ]
    number, _ = ready(session, people=audience, html=html)
    told = [one for one in found(session, number) if "flexible columns" in one]
    assert [one.partition(",")[0] for one in told] == ["GMX and WEB.DE"]
    assert "where 25% of this audience have their mailbox" in told[0]


def test_the_longest_mail_among_real_people_is_measured_as_it_is_sent(session, monkeypatch):
    html = GOOD.replace("</body>", "<p>{{ contact.city|default('') }}</p></body>")
    number, _ = ready(
        session,
        people=[{"city": "x"}, {"city": "y" * 110_000, "given_name": "Long", "family_name": "One"}],
        html=html,
    )
    [told] = [one for one in found(session, number) if "Gmail cuts it off" in one]
    assert told.startswith("For Long One the HTML has 11")


@pytest.mark.timed
def test_looking_at_a_template_takes_no_long_time(session):
    from time import process_time

    number, _ = ready(session, people=[{} for _ in range(50)])
    campaign = campaigns.get(session, number)
    began = process_time()
    checking.check(session, campaign, reach={"mailable": 50}, signing=SIGNING, now=NOW + timedelta(days=1))
    assert process_time() - began < 2
    assert people.TRIED == 40


# ---- the command


@pytest.fixture
def shell(sqlite_pattern, tmp_path, monkeypatch):
    store = tmp_path / "data" / "postroom.db"
    store.parent.mkdir()
    store.write_bytes(sqlite_pattern.read_bytes())
    monkeypatch.setenv("POSTROOM_DATA", str(store.parent))
    monkeypatch.setenv("POSTROOM_PUBLIC_URL", "https://mail.shop.example")
    monkeypatch.setenv("POSTROOM_SPAM_URL", "off")
    monkeypatch.delenv("POSTROOM_DATABASE_URL", raising=False)

    def run(*words, code=0):
        ran = CliRunner().invoke(_root, ["check", *map(str, words)])
        said = ran.output + (str(ran.exception) if ran.exception else "")
        assert ran.exit_code == code, said
        return said

    return run


def test_a_starter_passes(shell):
    said = shell("newsletter")
    assert said.endswith("0 blockers, 0 warnings, 1 hint in en, de.\n")


def test_a_file_with_a_blocker_fails_and_says_where(shell, tmp_path):
    file = tmp_path / "mail.html"
    file.write_text(
        '<html lang="en"><body>\n<p><a href="#">Soon\x1b[31m</a></p>{{ sender.postal_address }}</body></html>'
    )
    said = shell(file, code=1)
    assert "blocker The link # leads nowhere. [line 2, “Soon" in said
    assert "\x1b" not in said
    assert "has no link to unsubscribe" in said


def test_it_gives_json_for_other_programs(shell, tmp_path):
    file = tmp_path / "mail.html"
    file.write_text('<p><a href="#">Soon</a></p>')
    said = json.loads(shell(file, "--json", code=1).partition("\n}")[0] + "\n}")
    assert said["ok"] is False
    assert {"level": "blocker", "what": "The link # leads nowhere.", "cure": "Put in the real address.", "near": "Soon", "line": 1, "languages": []} in said["findings"]  # fmt: skip


def test_links_and_spam_are_asked_for_when_wanted(shell, tmp_path, monkeypatch):
    file = tmp_path / "mail.html"
    file.write_text(
        '<html lang="en"><body><a href="https://shop.example/gone">Catalogue</a> <a href="http://shop.example/gone">It</a>'
        '{{ sender.postal_address }}<a href="{{ links.unsubscribe }}">Leave</a></body></html>'
    )
    with WebServer(sites) as server, NameServer(TABLE) as names:
        fetcher = Fetcher(names.resolver(), dial=leading_to({(PUBLIC, 80): server.port}))
        monkeypatch.setattr("campaigns.cli.checking.Fetcher", lambda: fetcher)
        said = shell(file, "--links", "--spam")
    assert "http://shop.example/gone does not work: its server answers with 404." in said
    assert "https://shop.example/gone does not work: nobody answers there." in said
    assert "No spam filter was asked." in said


def test_what_is_no_template_is_told_with_those_there_are(shell):
    assert "newsletter" in shell("nothing", code=1)
    assert "There is no file" in shell("/nowhere/mail.mjml", code=1)


def test_a_template_of_the_store_is_found_by_its_key(session):
    from tests.factories import a_template

    a_template(session)
    from campaigns.records import templates

    key = templates.listing(session)[0].key
    signing = Signing(Keyring(SECRET), "https://mail.shop.example")
    made = of_template(session, key, signing, NOW)
    assert made.version
    assert [one.url for one in made.links] == ["https://shop.example/a", "https://shop.example/b?x=1&y=2"]
