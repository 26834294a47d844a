"""Returned mail as many servers, robots and people write it: written by hand after their shapes."""

from pathlib import Path

import pytest

from campaigns.delivery.returns import read_return

STYLES = Path(__file__).parent / "bounces" / "styles.txt"


def mails():
    """Each mail of the file with what it is: a line `%%% name | kind | class | recipient` before each."""
    for block in STYLES.read_text("utf-8").split("%%% ")[1:]:
        heading, _, mail = block.partition("\n")
        name, kind, told, recipient = (part.strip() for part in heading.split("|"))
        yield pytest.param(mail.encode(), kind, told, recipient, id=name)


@pytest.mark.parametrize(("raw", "kind", "told", "recipient"), list(mails()))
@pytest.mark.parametrize("ends", [b"\n", b"\r\n"], ids=["lf", "crlf"])
def test_it_is_taken_for_what_it_is(raw, kind, told, recipient, ends):
    found = read_return(raw.replace(b"\n", ends))
    assert found.kind.value == kind
    classes = [one.finding.kind.value for one in found.recipients if one.finding]
    assert classes == ([told] if told else [])
    if recipient:
        assert [one.address for one in found.recipients] == [recipient]


def test_there_are_at_least_forty_of_them():
    assert len(list(mails())) >= 40
