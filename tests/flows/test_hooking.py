"""What follows from providers' webhooks: as from returned mail, once, in any order, and only if it is ours."""

import json
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from campaigns.delivery.providers import PROVIDERS
from campaigns.flows import erasing, hooking, judging
from campaigns.flows.hooking import Keys
from campaigns.mailing import number_links
from campaigns.model.consent import suppressions as suppressions_table
from campaigns.model.events import events, hit_counts, hits
from campaigns.model.mail import messages, runs
from campaigns.model.webhooks import webhook_calls
from campaigns.records import campaigns, consent, tracking, webhooks
from campaigns.records import hits as records_hits
from campaigns.records.consent import Provenance
from campaigns.records.webhooks import NewCall
from campaigns.tracking.tokens import Keyring, Purpose
from campaigns.values import ConsentState, ContactId, Hit, Tracking
from tests.factories import NOW, SECRET
from tests.flows.test_returned_mail import ADA, Sent

HOOKS = {name: row.webhooks for name, row in PROVIDERS.items() if row.webhooks}
#: For tests of many inputs that the database has no part in.
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
KEYS = Keys(Keyring(SECRET), SECRET, "https://t.shop.example")
HOUR = timedelta(hours=1)


def act_on(session, call, at, keys=KEYS):
    """Read one call, and do what follows from it."""
    reading = hooking.read(call, HOOKS)
    heard = [hooking.Heard(call, signal) for signal in reading.signals]
    words = Counter(hooking.act(session, heard, keys, now=at))
    return hooking.finish(session, [(call, reading)], {call.id: words}, keys, at)


class Told(Sent):
    """One contact with a message, and a provider that tells of it."""

    calls = 0

    def tell(self, *told, kind="http", at=NOW + HOUR, account="main", raw=None):
        """Let a call come and be read; gives what became of its events."""
        Told.calls += 1
        body = (
            raw if raw is not None else json.dumps({"events": told} if kind == "http" else told[0]).encode()
        )
        webhooks.keep(self.session, NewCall(account, kind, at, f"call {Told.calls}", body))
        found = Counter()
        for call in webhooks.waiting(self.session, now=at):
            found += act_on(self.session, call, at)
        return dict(found)

    def event(self, kind, number=1, *, at=NOW + HOUR, run=None, **more):
        told = {"kind": kind, "id": f"{kind}.{number}", "at": at.isoformat(), "postroom": self.token(run)}
        return told | {"recipient": ADA} | more

    def rows(self, table):
        return list(self.session.execute(sa.select(table).order_by(table.c.id)))

    def consent(self):
        return consent.state(self.session, ContactId(self.contact), self.topic)

    def bodies(self):
        return [bytes(row.body) for row in self.rows(webhook_calls)]

    def reasons(self):
        return set(self.session.scalars(sa.select(suppressions_table.c.reason)))


@pytest.fixture
def told(session):
    return Told(session)


# ---- what follows


def test_a_dead_address_is_suppressed_with_the_evidence_and_the_account(told):
    said = f"550 5.1.1 <{ADA}>: User unknown"
    assert told.tell(told.event("bounced", text=said), account="eu") == {"bounced": 1}
    detail = told.detail("bounced")
    assert (detail["class"], detail["hard"], detail["account"]) == ("hard.address", True, "eu")
    assert detail["named by"] == "webhook of eu"
    assert told.suppressed
    (row,) = told.rows(suppressions_table)
    assert (row.reason, row.actor, row.evidence["account"]) == ("hard bounce", "webhook", "eu")
    assert ADA not in str(row.evidence)


@on_sqlite
@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ({"text": "554 5.7.1 blocked using zen.spamhaus.org", "class": "hard.address"}, "block.reputation"),
        ({"text": "550 5.7.26 not authenticated: SPF and DKIM fail", "class": "hard.address"}, "block.auth"),
        ({"text": "552 5.2.2 Mailbox full", "class": "hard.address"}, "full"),
        ({"text": "550 5.1.1 User unknown", "class": "transient"}, "refused"),
        ({"text": "550 5.1.1 User unknown", "class": "block.policy"}, "refused"),
        ({"text": "", "class": "listed"}, "listed"),
        ({"text": "550 5.1.1 User unknown", "class": "listed"}, "listed"),
        ({"text": "", "class": "full"}, "full"),
        ({"text": "", "class": "refused"}, "refused"),
        ({"text": ""}, "unknown"),
    ],
)
def test_what_is_not_surely_dead_is_not_suppressed_whatever_the_provider_calls_it(told, more, kind):
    told.tell(told.event("bounced", **more))
    assert told.detail("bounced")["class"] == kind
    assert told.detail("bounced")["hard"] is False
    assert not told.suppressed


@on_sqlite
def test_the_providers_class_decides_where_nothing_was_said(told):
    told.tell(told.event("bounced", **{"class": "hard.address"}))
    assert told.detail("bounced")["class"] == "hard.address"
    assert told.detail("bounced")["rule"] == "provider's class: bounced/hard.address"
    assert told.suppressed


def test_a_block_stands_in_the_campaigns_log(told):
    told.tell(told.event("bounced", text="554 5.7.1 Message rejected as spam"))
    assert [line for line in campaigns.log_lines(told.session, told.campaign) if "block.content" in line.what]


def test_a_complaint_withdraws_and_suppresses(told):
    assert told.tell(told.event("complained", text="abuse")) == {"complained": 1}
    assert told.consent() is ConsentState.WITHDRAWN
    assert told.reasons() == {"complaint"}
    assert told.kinds() == ["complained", "suppressed"]


@on_sqlite
@pytest.mark.parametrize("said", ["not-spam", "auth-failure"])
def test_a_report_that_complains_of_nothing_does_nothing(told, said):
    told.tell(told.event("complained", text=said))
    assert told.consent() is ConsentState.GRANTED
    assert told.kinds() == []


def test_leaving_at_the_provider_is_leaving_here(told):
    assert told.tell(told.event("unsubscribed")) == {"unsubscribed": 1}
    assert told.consent() is ConsentState.WITHDRAWN
    assert told.kinds() == ["unsubscribed"]
    assert not told.suppressed


def test_delivered_and_delayed_are_in_the_history_at_their_own_time(told):
    told.tell(
        told.event("delayed", at=NOW + HOUR, text="451 4.7.1 later"),
        told.event("delivered", at=NOW + 2 * HOUR),
        at=NOW + 3 * HOUR,
    )
    rows = sorted((row.kind, row.at, row.source) for row in told.rows(events) if row.kind != "sent")
    assert rows == [("delayed", NOW + HOUR, "webhook"), ("delivered", NOW + 2 * HOUR, "webhook")]


def test_of_many_delays_few_are_kept_and_the_bounce_after_them_is(told):
    delays = [told.event("delayed", number, text="451 4.7.1 later") for number in range(40)]
    found = told.tell(*delays)
    assert found == {"delayed": 5, "flood": 35}
    assert told.tell(told.event("bounced", text="550 5.1.1 User unknown")) == {"bounced": 1}
    assert told.suppressed


@on_sqlite
def test_no_number_of_deliveries_hides_a_bounce(told):
    told.tell(*[told.event("delivered", number) for number in range(50)])
    assert told.tell(told.event("bounced", text="550 5.1.1 User unknown")) == {"bounced": 1}
    assert told.suppressed


@on_sqlite
def test_a_delivery_after_a_bounce_takes_nothing_back(told):
    told.tell(told.event("bounced", text="550 5.1.1 User unknown"))
    told.tell(told.event("delivered", at=NOW + 2 * HOUR), at=NOW + 3 * HOUR)
    assert told.suppressed
    assert told.kinds() == ["bounced", "suppressed", "delivered"]


@pytest.mark.parametrize("delivered_first", [True, False])
def test_a_server_that_takes_mail_and_returns_it_each_time_wears_patience_out(told, delivered_first):
    for days in (0, 4, 8):
        at = NOW + timedelta(days=days)
        run = told.run if days == 0 else told.send(at)
        moments = (at + HOUR, at + 2 * HOUR) if delivered_first else (at + 2 * HOUR, at + HOUR)
        both = [told.event("delivered", days, run=run, at=moments[0]),
                told.event("bounced", days, run=run, at=moments[1], text="550 5.2.1 The mailbox is disabled")]  # fmt: skip
        told.tell(*(both if delivered_first else reversed(both)), at=at + 3 * HOUR)
    assert told.reasons() == {"kept bouncing"}


@on_sqlite
def test_a_robots_answer_is_recorded_only(told):
    told.tell(told.event("auto-replied", text="On holiday"))
    assert told.kinds() == ["auto-replied"]


# ---- doubts


@pytest.mark.parametrize(
    "kind", ["accepted", "delivered", "bounced", "opened", "clicked", "unsubscribed", "complained"]
)
def test_an_event_proves_that_a_message_in_doubt_arrived(told, kind):
    told.session.execute(sa.update(messages).values(state="unknown"))
    told.session.execute(sa.update(runs).values(sent=0, unknown=1))
    told.tell(told.event(kind))
    assert told.session.scalars(sa.select(messages.c.state)).all() == ["sent"]
    assert "doubt settled" in told.kinds()
    assert told.session.execute(sa.select(runs.c.sent, runs.c.unknown)).one() == (1, 0)


# ---- what is believed


@on_sqlite
@pytest.mark.parametrize(
    ("over", "word"),
    [
        ({"postroom": "forged"}, "stray"),
        ({"postroom": None}, "stray"),
        ({"postroom": 5}, "stray"),
        ({"recipient": "eve@example.com"}, "other address"),
    ],
)
def test_what_does_not_carry_our_token_about_an_address_of_ours_does_nothing(told, over, word):
    assert told.tell(told.event("bounced", text="550 5.1.1 User unknown") | over) == {word: 1}
    assert told.kinds() == []
    assert not told.suppressed


@on_sqlite
@pytest.mark.parametrize("purpose", [one for one in Purpose if one is not Purpose.RETURN])
def test_a_token_for_something_else_is_worth_nothing(told, purpose):
    token = Keyring(SECRET).sign(purpose, told.run, 1, told.contact)
    assert told.tell(told.event("unsubscribed", postroom=token)) == {"stray": 1}


def test_a_genuine_token_of_a_message_that_never_was_does_nothing(told):
    token = Keyring(SECRET).sign(Purpose.RETURN, told.run, 77, told.contact)
    assert told.tell(told.event("complained", postroom=token)) == {"stray": 1}
    assert told.consent() is ConsentState.GRANTED


@on_sqlite
@pytest.mark.parametrize(
    "form", ["{}", "b+{}@bounce.shop.example", "<{}@shop.example>", "B+{}@BOUNCE.shop.example"]
)
def test_the_token_is_found_in_a_reference_a_return_path_and_a_message_id(told, form):
    told.tell(
        told.event("delivered", postroom=form.format(told.token().upper() if "B+" in form else told.token()))
    )
    assert told.kinds() == ["delivered"]


@on_sqlite
@pytest.mark.parametrize("recipient", ["ADA@Example.com", "Ada Lovelace <ada@example.com>", "", None])
def test_an_address_is_the_same_however_it_is_written(told, recipient):
    assert told.tell(told.event("delivered", recipient=recipient)) == {"delivered": 1}


def test_what_is_said_of_a_test_mail_does_nothing(told):
    told.session.execute(sa.update(runs).values(kind="test"))
    assert told.tell(told.event("complained")) == {"test": 1}
    assert told.consent() is ConsentState.GRANTED


@on_sqlite
def test_a_bounce_after_months_is_late(told):
    at = NOW + timedelta(days=100)
    assert told.tell(told.event("bounced", at=at, text="550 5.1.1 User unknown"), at=at) == {"late": 1}
    assert told.tell(told.event("complained", at=at), at=at) == {"complained": 1}


@on_sqlite
@pytest.mark.parametrize(
    "at", ["2019-01-01T00:00:00Z", "2031-01-01T00:00:00Z", "junk", None, -1, 1e300, "9" * 400]
)
def test_a_time_that_cannot_be_is_the_calls(told, at):
    told.tell(told.event("delivered") | {"at": at}, at=NOW + 2 * HOUR)
    (row,) = [one for one in told.rows(events) if one.kind == "delivered"]
    assert row.at == NOW + 2 * HOUR


# ---- once, and whatever comes


def test_the_same_event_in_two_calls_is_taken_once(told):
    one = told.event("bounced", text="550 5.1.1 User unknown")
    assert told.tell(one, one) == {"bounced": 1, "repeat": 1}
    assert told.tell(one) == {"repeat": 1}
    assert told.kinds() == ["bounced", "suppressed"]


@on_sqlite
def test_two_accounts_may_use_the_same_id(told):
    told.tell(told.event("delivered"), account="a")
    assert told.tell(told.event("delivered"), account="b") == {"delivered": 1}


def test_an_unknown_event_is_counted_and_nothing_else(told):
    assert told.tell(told.event("teleported"), told.event("delivered")) == {"unknown": 1, "delivered": 1}
    counted = {one.what: one.count for one in webhooks.counts(told.session, since=NOW)}
    assert counted == {"call": 1, "delivered": 1, "unknown": 1}


@pytest.mark.parametrize("raw", [b"", b"junk", b"\xff", b"[" * 200_000, b"1" * 5000, b'{"x": 5}', b'"text"', b"5",
                                 b'{"events": 5}', b'{"events": [1, null, [2]]}'])  # fmt: skip
def test_junk_is_kept_and_marked(told, raw):
    assert told.tell(raw=raw) == {"unreadable": 1}
    (one,) = webhooks.unread(told.session, now=NOW + HOUR)
    assert one.problem
    assert one.size == len(raw)
    assert raw.startswith(one.body)
    assert told.tell(told.event("delivered")) == {"delivered": 1}


def test_what_could_not_be_read_can_be_read_again(told):
    told.tell(kind="nobody", raw=b"{}")
    (one,) = webhooks.unread(told.session, now=NOW + HOUR)
    assert "no provider of the kind 'nobody'" in one.problem
    assert webhooks.read_again(told.session, now=NOW + HOUR) == 1
    assert [call.id for call in webhooks.waiting(told.session, now=NOW + HOUR)] == [one.id]


# ---- what a provider tracked


BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36"
HOW = Provenance(NOW, "preferences", "test")


def opened(told, kind="opened", **more):
    return told.tell(
        told.event(kind, agent="Mozilla/5.0 (X11; Linux) AppleWebKit/537.36 Chrome/130", ip="203.0.113.9")
        | more
    )


def test_an_open_is_a_raw_hit(told):
    assert opened(told) == {"opened": 1}
    (row,) = told.rows(hits)
    assert (row.kind, row.run_id, row.seq, row.contact_id, row.at) == (
        "open",
        told.run,
        1,
        told.contact,
        NOW + HOUR,
    )
    assert (row.address, row.judged) == ("203.0.113.9", False)
    assert row.headers == "?"


def test_a_click_finds_its_link(told):
    number_links(told.session, told.run)
    other = Keyring(SECRET).sign(Purpose.CLICK, told.run, 2, told.contact)
    opened(told, "clicked", url="https://shop.example/a")
    opened(told, "clicked", id="3", url="https://elsewhere.example/")
    opened(told, "clicked", id="4", url=f"https://t.shop.example/c/{other}/2")
    assert [row.link for row in told.rows(hits)] == [1, None, None]


def came_to_us(told):
    of_people = ("accept-language", "sec-fetch-mode")
    at, who = NOW + HOUR, (told.run, 1, told.contact)
    records_hits.store(told.session, [Hit(at, "click", *who, 2, "GET", BROWSER, "203.0.113.9", of_people)])
    judging.judge_hits(told.session, NOW + 2 * HOUR)


def test_a_click_that_a_provider_sees_on_its_way_to_our_link_counts_once(told):
    token = Keyring(SECRET).sign(Purpose.CLICK, told.run, 1, told.contact)
    url = f"https://t.shop.example/c/{token}/2"
    assert opened(told, "clicked", url=url) == {"own page": 1}
    assert told.rows(hits) == []
    came_to_us(told)
    clicks = sa.select(events.c.verdict).where(events.c.kind == "clicked")
    assert told.session.scalars(clicks).all() == ["human"]


def test_a_providers_word_on_a_machine_is_heard_of_the_click_that_came_to_us(told):
    token = Keyring(SECRET).sign(Purpose.CLICK, told.run, 1, told.contact)
    url = f"https://t.shop.example/c/{token}/2"
    assert opened(told, "clicked", url=url, by="machine", agent=BROWSER) == {"clicked": 1}
    came_to_us(told)
    clicks = sa.select(events.c.verdict).where(events.c.kind == "clicked")
    assert told.session.scalars(clicks).all() == ["machine", "machine"]


def test_a_click_on_a_page_of_ours_is_seen_there(told):
    token = Keyring(SECRET).sign(Purpose.UNSUBSCRIBE, told.run, 1, told.contact)
    assert opened(told, "clicked", url=f"https://t.shop.example/u/{token}") == {"own page": 1}
    assert told.rows(hits) == []
    assert told.consent() is ConsentState.GRANTED


def test_a_run_that_tracks_nobody_keeps_nothing_of_what_a_provider_saw(told):
    told.session.execute(sa.update(runs).values(tracking=False))
    assert opened(told) == {"not tracked": 1}
    assert told.rows(hits) == []
    assert told.bodies() == [b""]


def test_who_is_counted_among_all_is_counted_and_no_more(told):
    tracking.choose(told.session, ContactId(told.contact), Tracking.AGGREGATE, HOW, now=NOW)
    told.session.execute(sa.update(messages).values(state="unknown"))
    told.session.execute(sa.update(runs).values(sent=0, unknown=1))
    assert opened(told) == {"counted apart": 1}
    assert told.rows(hits) == []
    assert told.session.execute(sa.select(hit_counts.c.kind, hit_counts.c.count)).all() == [("open", 1)]
    assert "doubt settled" not in told.kinds()
    assert told.bodies() == [b""]


def test_who_is_not_tracked_at_all_is_not_counted(told):
    tracking.choose(told.session, ContactId(told.contact), Tracking.OFF, HOW, now=NOW)
    assert opened(told, "clicked", url="https://shop.example/a") == {"not tracked": 1}
    assert told.rows(hits) == []
    assert told.session.execute(sa.select(hit_counts)).all() == []


# ---- what is kept of calls


LEVELS = [Tracking.AGGREGATE, Tracking.OFF]
SEEN = {"agent": BROWSER, "ip": "203.0.113.9"}


def chose(told, level):
    tracking.choose(told.session, ContactId(told.contact), level, HOW, now=NOW)


@pytest.mark.parametrize("level", LEVELS)
def test_of_a_click_on_our_own_page_by_who_is_not_tracked_one_by_one_no_call_is_kept(told, level):
    chose(told, level)
    token = Keyring(SECRET).sign(Purpose.UNSUBSCRIBE, told.run, 1, told.contact)
    found = told.tell(told.event("clicked", url=f"https://t.shop.example/u/{token}", **SEEN))
    assert found == {"not tracked" if level is Tracking.OFF else "own page": 1}
    assert told.bodies() == [b""]


@pytest.mark.parametrize("level", LEVELS)
def test_of_an_open_that_is_told_again_with_something_else_no_call_is_kept(told, level):
    chose(told, level)
    seen = told.event("opened", **SEEN)
    told.tell(seen)
    assert told.tell(seen, told.event("delivered")) == {"repeat": 1, "delivered": 1}
    assert told.bodies() == [b"", b""]


@on_sqlite
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(
    "kind", ["accepted", "delivered", "delayed", "bounced", "complained", "unsubscribed", "teleported"]
)
def test_whatever_is_told_of_who_is_not_tracked_one_by_one_acts_and_no_call_is_kept(told, kind, level):
    chose(told, level)
    assert told.tell(told.event(kind, **SEEN)) == {"unknown" if kind == "teleported" else kind: 1}
    assert told.bodies() == [b""]


@on_sqlite
def test_where_the_installation_counts_all_together_no_call_is_kept_of_who_never_chose(told):
    webhooks.keep(
        told.session, NewCall("main", "http", NOW, "one", json.dumps(told.event("delivered")).encode())
    )
    [call] = webhooks.waiting(told.session, now=NOW)
    act_on(told.session, call, NOW, replace(KEYS, tracking=Tracking.AGGREGATE))
    assert told.bodies() == [b""]


@pytest.mark.parametrize("kind", ["opened", "clicked", "delivered", "bounced", "unsubscribed"])
def test_nothing_comes_back_of_who_was_forgotten(told, kind):
    erasing.erase(told.session, told.contact, SECRET, actor="test", now=NOW)
    before = told.kinds()
    assert told.tell(told.event(kind, **SEEN)) == {"stray": 1}
    assert told.bodies() == [b""]
    assert told.rows(hits) == []
    assert told.kinds() == before


@on_sqlite
@pytest.mark.parametrize(
    ("over", "word"), [({"recipient": "eve@example.com"}, "other address"), ({"postroom": "forged"}, "stray")]
)
def test_of_an_open_that_nothing_follows_from_no_call_is_kept(told, over, word):
    assert told.tell(told.event("opened", **SEEN) | over, told.event("delivered")) == {
        word: 1,
        "delivered": 1,
    }
    assert told.bodies() == [b""]


@on_sqlite
def test_of_an_open_of_a_test_mail_no_call_is_kept(told):
    told.session.execute(sa.update(runs).values(kind="test"))
    assert told.tell(told.event("opened", **SEEN)) == {"test": 1}
    assert told.bodies() == [b""]


def test_a_call_about_who_is_tracked_one_by_one_is_kept(told):
    found = told.tell(told.event("opened", **SEEN), told.event("clicked", **SEEN), told.event("delivered"))
    assert found == {"opened": 1, "clicked": 1, "delivered": 1}
    assert told.tell(told.event("bounced", text="552 5.2.2 Mailbox full")) == {"bounced": 1}
    assert all(told.bodies())


AT = NOW + 3 * HOUR
PERSON = {"agent": BROWSER, "ip": "203.0.113.9", "at": AT.isoformat()}


@on_sqlite
@pytest.mark.parametrize(
    ("kind", "more", "verdict", "reason"),
    [
        ("opened", PERSON, "human", "browser"),
        ("clicked", PERSON | {"url": "https://shop.example/a"}, "human", "browser"),
        ("opened", PERSON | {"by": "machine"}, "machine", "calls it a machine's"),
        (
            "clicked",
            PERSON | {"by": "machine", "url": "https://shop.example/a"},
            "machine",
            "calls it a machine's",
        ),
        ("opened", PERSON | {"by": "proxy"}, "privacy", "calls it a mail proxy's"),
        ("opened", PERSON | {"by": "proxy", "agent": ""}, "privacy", "calls it a mail proxy's"),
        ("clicked", PERSON | {"agent": "", "url": "https://shop.example/a"}, "unknown", "no agent given"),
        ("opened", PERSON | {"agent": ""}, "unknown", "no agent given"),
        ("opened", PERSON | {"agent": "Mozilla/5.0"}, "privacy", "Apple"),
        (
            "clicked",
            PERSON | {"agent": "python-requests/2", "url": "https://shop.example/a"},
            "machine",
            "Python",
        ),
    ],
)
def test_a_providers_word_on_who_it_was_is_heard_and_ours_is_beside_it(told, kind, more, verdict, reason):
    number_links(told.session, told.run)
    told.tell(told.event(kind) | more, at=AT)
    judging.judge_hits(told.session, AT + HOUR)
    (row,) = [one for one in told.rows(events) if one.kind == kind]
    assert row.verdict == verdict
    assert reason in str(row.detail["reasons"])
