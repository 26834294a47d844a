"""Addresses of mailboxes: what holds is read, all that does not is told, and the password never is."""

import pytest

from campaigns.config import from_environment
from campaigns.delivery.mailboxes import Afterwards, box_of, visit
from campaigns.errors import BackendError, BadSettings


def test_an_address_says_where_the_mailbox_is_and_what_becomes_of_its_mails():
    box = box_of("imaps://b%40shop:p%40ss@mail.shop.example/Returned/Mail?after=move&to=Read")
    assert (box.host, box.port, box.user, box.password) == ("mail.shop.example", 993, "b@shop", "p@ss")
    assert (box.folder, box.afterwards, box.to) == ("Returned/Mail", Afterwards.MOVE, "Read")
    assert "p@ss" not in repr(box) + str(box)


def test_what_is_not_said_is_the_usual():
    imap, pop = box_of("imap+starttls://u:p@h"), box_of("pop3s://u:p@h")
    assert (imap.folder, imap.port, imap.afterwards) == ("INBOX", 143, Afterwards.SEEN)
    assert (pop.port, pop.afterwards) == (995, Afterwards.DELETE)


@pytest.mark.parametrize(
    "url",
    [
        "imap://u:secret@mail.shop.example",
        "pop3://u:secret@192.0.2.1",
        "http://u:secret@h",
        "imaps://h",
        "imaps://u@h",
        "imaps://u:secret@h?after=burn",
        "imaps://u:secret@h?after=move",
        "imaps://u:secret@h?after=seen&to=Read",
        "pop3s://u:secret@h?after=seen",
        "imaps://u%0d%0aA:secret@h",
        "imaps://u:secret@h/INBOX%0aX",
        "imaps://u:secret@h:port",
        "imaps://[::1",
    ],
)
def test_what_does_not_hold_is_told_without_the_password(url):
    with pytest.raises(BadSettings) as caught:
        box_of(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost"])
def test_only_on_loopback_may_a_password_go_in_the_clear(host):
    assert box_of(f"imap://u:p@{host}").scheme == "imap"


@pytest.mark.parametrize("url", ["imap://u:p@127.0.0.1:1", "pop3://u:p@127.0.0.1:1"])
def test_a_mailbox_that_is_away_is_told(url):
    with pytest.raises(BackendError, match="could not be read"):
        visit(box_of(url), lambda name, raw: None)


def test_settings_name_mailboxes_and_tell_no_password(tmp_path):
    env = {"POSTROOM_DATA": str(tmp_path), "POSTROOM_BOUNCE_IMAP_URL": "imaps://u:secret@h"}
    assert from_environment(env).mailboxes.imap_url == "imaps://u:secret@h"
    assert "secret@" not in repr(from_environment(env))
    with pytest.raises(BadSettings) as caught:
        from_environment({**env, "POSTROOM_BOUNCE_POP3_URL": "imaps://u:secret@h"})
    assert "POSTROOM_BOUNCE_POP3_URL" in str(caught.value)
    assert "secret@" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["imaps://me:S3/CRET@host", "imaps://me:S3CRET@host\uff0f", "imaps://me:S3CRET@h:x"]
)
def test_a_mailboxs_address_that_cannot_be_read_shows_no_password(url):
    with pytest.raises(BadSettings, match="mailbox address") as caught:
        box_of(url)
    assert "S3" not in str(caught.value)
