"""Mail that goes to a provider by SMTP: what names it there, so that its webhooks can say which mail it is.

The reference stands above our signature, which does not cover it; providers take these headers out.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

from campaigns.delivery.contract import Watch
from campaigns.delivery.providers.reference import KEY, reference_of
from campaigns.delivery.smtp.pool import SmtpBackend
from campaigns.delivery.smtp.target import Limits, Target
from campaigns.values import Outgoing

#: The headers of a mail with a reference; the provider's tracking of opens and clicks is switched off, too.
#: SES and Resend need none: they tell our return path, or our Message-ID.
#: Source: Postmark, "Custom metadata FAQ"; Mailjet, "SMTP relay: custom headers"; Mailgun, "Sending messages,
#: by SMTP"; SendGrid, "X-SMTPAPI header" and "SMTP filters"; Brevo, the header of its API.
HEADERS: Mapping[str, str] = {
    "postmark": f"X-PM-Metadata-{KEY}: %s\r\nX-PM-TrackOpens: false\r\nX-PM-TrackLinks: None\r\n",
    "mailjet": "X-MJ-CustomID: %s\r\nX-Mailjet-TrackOpen: 0\r\nX-Mailjet-TrackClick: 0\r\n",
    "mailgun": f'X-Mailgun-Variables: {{"{KEY}": "%s"}}\r\nX-Mailgun-Track: no\r\n',
    "sendgrid": (
        f'X-SMTPAPI: {{"unique_args": {{"{KEY}": "%s"}},\r\n'
        ' "filters": {"clicktrack": {"settings": {"enable": 0}},\r\n'
        ' "opentrack": {"settings": {"enable": 0}}}}\r\n'
    ),
    "brevo": f'X-Mailin-custom: {{"{KEY}": "%s"}}\r\n',
}


def marker(provider: str) -> Callable[[Outgoing], Outgoing] | None:
    """Give what writes a provider's headers onto a mail; None: it needs none."""
    headers = HEADERS.get(provider)
    if headers is None:
        return None

    def mark(mail: Outgoing) -> Outgoing:
        reference = reference_of(mail)
        return mail._replace(data=(headers % reference).encode() + mail.data) if reference else mail

    return mark


class RelayedBackend(SmtpBackend):
    """Sends over SMTP to a provider's relay, with the provider's name for each mail on it."""

    def __init__(self, target: Target, limits: Limits, mark: Callable[[Outgoing], Outgoing]) -> None:
        super().__init__(target, limits)
        self._mark = mark

    def send(self, batch: Iterable[Outgoing | None], watch: Watch) -> None:
        super().send(self._marked(batch), watch)

    def _marked(self, batch: Iterable[Outgoing | None]) -> Iterator[Outgoing | None]:
        for mail in batch:
            yield None if mail is None else self._mark(mail)
