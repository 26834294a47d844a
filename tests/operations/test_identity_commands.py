"""`postroom dkim` and `postroom dns`, as somebody at the shell uses them."""

import json
import re

import dns.resolver
import pytest
from click.testing import CliRunner

from campaigns.cli import _root
from campaigns.clock import utc_now
from campaigns.records import senders
from campaigns.values import Sender
from campaigns.wiring import open_stores
from tests.name_server import NameServer, text_record


@pytest.fixture
def shell(sqlite_pattern, tmp_path, monkeypatch):
    """Runs commands on a store of its own; gives exit code and output."""
    store = tmp_path / "data" / "postroom.db"
    store.parent.mkdir()
    store.write_bytes(sqlite_pattern.read_bytes())
    monkeypatch.setenv("POSTROOM_DATA", str(store.parent))
    monkeypatch.delenv("POSTROOM_DATABASE_URL", raising=False)
    stores = open_stores(f"sqlite:///{store}")
    with stores.sessions.begin() as session:
        senders.add(session, Sender("Shop", "hello@Shop.example", "bounce.shop.example"), now=utc_now())
    stores.engine.dispose()

    def run(words, code=0):
        found = CliRunner().invoke(_root, words.split())
        said = found.output + (str(found.exception) if found.exception else "")
        assert found.exit_code == code, said
        return said

    return run


@pytest.fixture
def world(monkeypatch):
    """What the DNS says; the commands ask nobody else."""
    with NameServer({}) as server:
        made = server.resolver()
        for name in ("campaigns.cli.dkim", "campaigns.doctor.senders"):
            monkeypatch.setattr(f"{name}.open_resolver", lambda: made)
        yield server.table


def publish(world, printed):
    """Set the records that a command printed, as whoever looks after the DNS would."""
    for name, kind, text in re.findall(r"^ *(\S+)\. 3600 IN (TXT|MX) (.+)$", printed, re.MULTILINE):
        world[name, kind] = [text.removeprefix("( ").removesuffix(" )")]


def test_a_key_is_made_its_record_set_and_then_it_signs(shell, world):
    printed = shell("dkim make shop.example")
    assert re.search(
        r'^pr\d{8}\._domainkey\.shop\.example\. 3600 IN TXT \( "v=DKIM1; k=rsa; p=', printed, re.MULTILINE
    )
    assert "dkim check shop.example" in printed
    said = shell("dkim check", 1)
    assert "missing. It should be:" in said
    assert printed.splitlines()[0] in said
    assert "1 of 1 keys wait on." in said
    assert "waiting" in shell("dkim list")
    publish(world, printed)
    assert "signs from now on" in shell("dkim check shop.example")
    assert "signing" in shell("dkim list Shop.example --records")
    assert shell("dkim check") == "No key waits.\n"


def test_another_key_under_the_name_does_not_count(shell, world):
    printed = shell("dkim make shop.example --selector a")
    other = shell("dkim make shop.example --selector b")
    publish(world, other.replace("b._domainkey", "a._domainkey"))
    assert "other. It should be:" in shell("dkim check", 1)
    publish(world, printed)
    assert "2 keys wait on" in shell("dkim check", 1)
    assert re.search(r"signing +shop.example a ", shell("dkim list"))


def test_force_lets_a_key_sign_unseen_and_says_what_that_means(shell, world):
    assert "Set the record at once" in shell("dkim make shop.example --force")
    assert "signing" in shell("dkim list")
    shell("dkim make shop.example --algorithm ed25519")
    assert "signs from now on" in shell("dkim check --force")


def test_a_second_key_is_not_made_for_one_whose_record_is_not_set_yet(shell, world):
    shell("dkim make shop.example --selector first")
    told = shell("dkim make shop.example", 1)
    assert "waits for its DNS record already: first" in told
    assert "postroom dkim list shop.example --records" in told
    shell("dkim make shop.example --algorithm ed25519")


def test_rotating_and_retiring_keep_what_is_still_needed(shell, world):
    shell("dkim make shop.example --selector old --force")
    assert "dkim rotate shop.example" in shell("dkim retire shop.example old", 1)
    publish(world, shell("dkim rotate shop.example"))
    assert re.search(r"signing +shop.example old ", shell("dkim list"))
    shell("dkim check")
    assert re.search(r"resting +shop.example old .*record must stay until \d{4}", shell("dkim list"))
    assert "cannot be brought back" in shell("dkim retire shop.example old", 1)
    assert re.search(r"resting +shop.example old ", shell("dkim list"))
    assert "Leave its DNS record until" in shell("dkim retire shop.example old --yes")
    assert re.search(r"retired +shop.example old ", shell("dkim list"))


def test_what_cannot_be_done_is_said_with_what_can(shell, world):
    assert "is no domain" in shell("dkim make shop", 1)
    assert "@" not in shell("dkim make a_b..example", 1)
    assert "RSA" in shell("dkim make shop.example --algorithm ed25519", 1)
    assert "dkim make shop.example" in shell("dkim rotate shop.example", 1)
    assert "dkim list" in shell("dkim retire shop.example x", 1)
    assert "postroom dkim make DOMAIN" in shell("dkim list")


def test_dns_prints_the_records_and_is_content_once_they_are_set(shell, world):
    world["hello", "A"] = []
    said = shell("dns hello@shop.example", 1)
    for line in (
        "bounce.shop.example. 3600 IN MX 10 your-mail-server.",
        'bounce.shop.example. 3600 IN TXT "v=spf1 include:your-mail-server ~all"',
        '_dmarc.shop.example. 3600 IN TXT "v=DMARC1; p=none; rua=mailto:dmarc@shop.example"',
    ):
        assert line in said
    assert "dkim make shop.example" in said
    publish(world, said.replace("include:your-mail-server", "ip4:192.0.2.1"))
    publish(world, shell("dkim make shop.example"))
    shell("dkim check")
    world["shop.example", "MX"] = ["10 mx.shop.example."]
    answer = json.loads(shell("dns 1 --json"))
    assert answer["ok"]
    assert {one["level"] for one in answer["findings"]} == {"ok"}
    assert "PTR" in shell("dns shop.example")


def test_dns_looks_at_the_host_that_delivers(shell, world, monkeypatch):
    monkeypatch.setenv("POSTROOM_SMTP_URL", "smtps://u:p@out.shop.example:465")
    world["out.shop.example", "A"] = ["192.0.2.1"]
    assert "out.shop.example: PTR" in shell("dns 1", 1)
    monkeypatch.setenv("POSTROOM_SMTP_URL", "smtps://u:p@smtp.provider.example2:465")
    assert "smtp.provider" not in shell("dns 1", 1)
    assert "mx.else.example: PTR" in shell("dns 1 --host mx.else.example", 1)


def test_nobody_is_guessed(shell, world):
    assert "1 (hello@Shop.example)" in shell("dns other.example", 1)


def test_without_a_network_every_question_says_so_quickly(shell, monkeypatch):
    nobody = dns.resolver.Resolver(configure=False)
    nobody.nameservers, nobody.port, nobody.lifetime = ["127.0.0.1"], 1, 0.3
    monkeypatch.setattr("campaigns.doctor.senders.open_resolver", lambda: nobody)
    monkeypatch.setattr("campaigns.cli.dkim.open_resolver", lambda: nobody)
    said = shell("dns 1")
    assert said.count("could not ask") >= 6
    shell("dkim make shop.example")
    assert "nobody could be asked" in shell("dkim check", 1)
    assert "waiting" in shell("dkim list")


def test_hostile_records_steer_no_terminal(shell, world):
    world["bounce.shop.example", "TXT"] = [text_record("v=spf1 x=\\027[2J -all")]
    assert "\x1b" not in shell("dns 1", 1)


def told(said):
    """The findings of a command that also said how it ended."""
    return json.JSONDecoder().raw_decode(said)[0]["findings"]


def by_way_of(tmp_path, monkeypatch, text):
    file = tmp_path / "accounts.toml"
    file.write_text(text)
    monkeypatch.setenv("POSTROOM_ACCOUNTS", str(file))


SMTP = '[accounts.main]\nkind = "smtp"\nurl = "smtp://127.0.0.1:9"\n'
MAILJET = '[accounts.mj]\nkind = "mailjet"\nkey = "k"\nsecret = "s"\n'


def test_what_a_provider_signs_and_takes_back_needs_its_key_and_none_of_ours(
    shell, world, tmp_path, monkeypatch
):
    by_way_of(tmp_path, monkeypatch, MAILJET)
    world["shop.example", "MX"] = ["10 mx.shop.example."]
    world["_dmarc.shop.example", "TXT"] = [text_record("v=DMARC1; p=reject")]
    found = {one["check"]: one for one in told(shell("dns 1 --json", 1))}
    assert not [check for check in found if check.startswith("bounce.")]
    assert "shop.example: DKIM" not in found
    lacking = found["shop.example: mailjet"]
    assert (lacking["level"], lacking["cure"]) == (
        "bad",
        "Verify shop.example at Mailjet, and set the records that it shows.",
    )
    assert "mailjet._domainkey.shop.example" in lacking["found"]
    world["mailjet._domainkey.shop.example", "TXT"] = [text_record("k=rsa; p=MIGf")]
    answer = json.loads(shell("dns 1 --json"))
    assert answer["ok"]
    assert "PTR" not in shell("dns 1")


def test_a_sender_with_ways_of_both_sorts_needs_what_both_need(shell, world, tmp_path, monkeypatch):
    world["shop.example", "MX"] = ["10 mx.shop.example."]
    routes = '[[routes]]\nlane = "google"\naccounts = "mj"\n[[routes]]\naccounts = "main"\n'
    by_way_of(tmp_path, monkeypatch, SMTP + MAILJET + routes)
    checks = {one["check"] for one in told(shell("dns 1 --json", 1))}
    assert {"bounce.shop.example: MX", "shop.example: DKIM", "shop.example: mailjet"} <= checks
    other = routes.replace('lane = "google"', 'sender = "other.example"')
    by_way_of(tmp_path, monkeypatch, SMTP + MAILJET + other)
    assert "mailjet" not in shell("dns 1", 1)
    postmark = '[accounts.pm]\nkind = "postmark"\ntoken = "t"\n'
    by_way_of(tmp_path, monkeypatch, postmark)
    assert "Postmark names its keys itself; its own pages tell whether shop.example is verified" in shell(
        "dns 1", 1
    )


def test_where_this_machine_delivers_the_spf_record_must_name_it(shell, world, tmp_path, monkeypatch):
    by_way_of(tmp_path, monkeypatch, '[accounts.main]\nkind = "direct"\nhello = "out.elsewhere.example"\n')
    world["out.elsewhere.example", "A"] = ["203.0.113.77"]
    world["bounce.shop.example", "TXT"] = [text_record("v=spf1 ip4:203.0.113.1 -all")]
    found = {one["check"]: one for one in told(shell("dns 1 --json", 1))}
    assert found["bounce.shop.example: SPF"]["level"] == "warn"
    assert "out.elsewhere.example (203.0.113.77)" in found["bounce.shop.example: SPF"]["found"]
    world["bounce.shop.example", "TXT"] = [text_record("v=spf1 ip4:203.0.113.77 -all")]
    found = {one["check"]: one for one in told(shell("dns 1 --json", 1))}
    assert found["bounce.shop.example: SPF"]["level"] == "ok"
