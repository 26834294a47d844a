"""`postroom classify`: a line of JSON for each mail, from files, mboxes, folders and standard input."""

import json

import pytest
from click.testing import CliRunner

from campaigns.cli.classify import classify

BOUNCE = b"""Return-Path: <>
From: MAILER-DAEMON@mx.kunde.example
To: b+TOKEN@bounce.shop.example
Subject: failure notice

Hi. This is the qmail-send program at mx.kunde.example.
I'm afraid I wasn't able to deliver your message to the following addresses.

<ann@kunde.example>:
Sorry, no mailbox here by that name. (#5.1.1)
"""
ANSWER = b"From: Ann <ann@kunde.example>\nTo: post@shop.example\nSubject: Re: Sale\n\nThanks.\n"


def lines(*paths, stdin=None):
    done = CliRunner().invoke(classify, [str(path) for path in paths], input=stdin)
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_line_says_what_it_is_about_whom_and_why(tmp_path):
    file = tmp_path / "one.eml"
    file.write_bytes(BOUNCE)
    (told,) = lines(file)
    assert told["file"] == str(file)
    assert (told["kind"], told["recipients"]) == ("bounce", ["ann@kunde.example"])
    assert (told["class"], told["hard"], told["status"]) == ("hard.address", True, "5.1.1")
    assert told["rule"] == "no such mailbox"


def test_an_mbox_gives_a_line_for_each_mail_and_an_eml_only_one(tmp_path):
    box = b"From a@b Sun Nov 22 07:00:00 2026\n" + BOUNCE + b"\nFrom c@d Sun Nov 22 07:00:01 2026\n" + ANSWER
    (tmp_path / "box").write_bytes(box)
    (tmp_path / "box.eml").write_bytes(box)
    assert [told["kind"] for told in lines(tmp_path / "box")] == ["bounce", "reply"]
    assert [told["file"] for told in lines(tmp_path / "box")] == [
        f"{tmp_path}/box:1",
        f"{tmp_path}/box:2",
    ]
    assert [told["kind"] for told in lines(tmp_path / "box.eml")] == ["bounce"]
    assert [told["kind"] for told in lines("-", stdin=box)] == ["bounce", "reply"]


@pytest.mark.parametrize("folders", [("new", "cur"), (".",), (".", "2026", "2026/november")])
def test_a_folder_or_maildir_gives_every_mail_in_it(tmp_path, folders):
    for number, folder in enumerate(folders):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / f"{number}").write_bytes(BOUNCE)
    assert [told["kind"] for told in lines(tmp_path)] == ["bounce"] * len(folders)


def test_standard_input_is_a_mail():
    assert [told["kind"] for told in lines("-", stdin=ANSWER)] == ["reply"]


def test_what_cannot_be_read_is_named_and_the_rest_is_read_all_the_same(tmp_path):
    (tmp_path / "one.eml").write_bytes(BOUNCE)
    done = CliRunner().invoke(classify, [str(tmp_path / "none.eml"), str(tmp_path / "one.eml")])
    assert done.exit_code == 1
    assert "none.eml: cannot be read" in done.stderr
    assert len(done.stdout.splitlines()) == 1
