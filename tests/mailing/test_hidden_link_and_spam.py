"""The link that nobody sees costs nothing at a spam filter."""

from campaigns.delivery.spam import ask
from campaigns.tracking import instrument
from tests.delivery.test_spam import rspamd  # noqa: F401 - a fixture
from tests.mailing.people import NOW, letter, mailing, recipient

#: rspamd dislikes an odd number of addresses: one more is as often for the better as for the worse.
ODD = "URI_COUNT_ODD"


def html(links):
    items = "".join(
        f'<p>What to say of no. {n}, and why.</p><a href="https://shop.example.com/{n}">No. {n}</a>'
        for n in range(links)
    )
    words = "<p>Dear Ada, this is our November letter, with a few words about wine and cups.</p>"
    return f'<html><body>{words}{items}<p><a href="{{{{ links.unsubscribe }}}}">Leave</a></p></body></html>'


def test_rspamd_finds_mails_as_good_with_it_as_without(rspamd, monkeypatch) -> None:  # noqa: F811
    def scored(links):
        text = "Dear Ada,\nsee https://shop.example.com/1\n"
        mails = mailing(letter(html(links), text, subject="November letter"))
        return ask(rspamd, mails.mail(recipient(5, given_name="Ada"), bought=[], now=NOW).data)

    def told():
        found = [scored(links) for links in (5, 6)]
        return round(sum(one.points for one in found), 6), [
            {rule.name for rule in one.rules} - {ODD} for one in found
        ]

    with_it = told()
    monkeypatch.setattr(instrument, "TRAP", "")
    assert with_it == told()
