"""The world's mail server: refuses some recipients, and writes genuine notices about others (RFC 3464, RFC 5965)."""

import smtplib
from datetime import UTC, datetime
from email import message_from_string
from email.message import EmailMessage, Message
from email.mime.message import MIMEMessage
from email.mime.multipart import MIMEMultipart
from email.mime.nonmultipart import MIMENonMultipart
from email.mime.text import MIMEText
from email.utils import format_datetime, make_msgid

from campaigns.delivery.caught import CaughtMail
from demo.fates import is_refused

SERVER = "mx.world.example"


def refuse(recipient: str) -> str | None:
    """The reply to RCPT TO for those who are not there."""
    return "550 5.1.1 No such person here" if is_refused(recipient) else None


class Postmaster:
    """Sends notices by SMTP to the server that takes mail for our bounce domain."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port

    def return_mail(self, mail: CaughtMail, status: str, diagnostic: str, *, now: datetime) -> None:
        """Send a delivery status notice about a mail that was taken and could not be delivered."""
        recipient = mail.line.envelope.rcpt_to[0]
        report = MIMENonMultipart("message", "delivery-status")
        report.set_payload(
            [
                message_from_string(f"Reporting-MTA: dns; {SERVER}\nArrival-Date: {format_datetime(now)}\n"),
                message_from_string(
                    f"Final-Recipient: rfc822; {recipient}\nAction: failed\nStatus: {status}\n"
                    f"Remote-MTA: dns; {SERVER}\nDiagnostic-Code: smtp; {diagnostic}\n"
                ),
            ]
        )
        words = f"The mail could not be delivered to {recipient}:\n{diagnostic}\n"
        self._send(
            mail,
            "delivery-status",
            "Undelivered Mail Returned to Sender",
            words,
            report,
            _headers_of(mail),
            now,
        )

    def report_abuse(self, mail: CaughtMail, *, now: datetime) -> None:
        """Send the feedback report of a mailbox whose owner called the mail spam; the address is left out."""
        report = MIMENonMultipart("message", "feedback-report")
        report.set_payload(
            f"Feedback-Type: abuse\nUser-Agent: World-FBL/1.0\nVersion: 1\nReporting-MTA: dns; {SERVER}\n"
        )
        words = "This is an email abuse report for a mail that one of our people received.\n"
        self._send(mail, "feedback-report", "Abuse report", words, report, _headers_of(mail), now)

    def _send(
        self,
        mail: CaughtMail,
        kind: str,
        subject: str,
        words: str,
        report: Message,
        original: Message,
        now: datetime,
    ) -> None:
        to = mail.line.envelope.mail_from
        notice = MIMEMultipart("report", report_type=kind)
        notice["From"] = f"Mail Delivery System <MAILER-DAEMON@{SERVER}>"
        notice["To"] = to
        notice["Subject"] = subject
        notice["Date"] = format_datetime(now.astimezone(UTC))
        notice["Message-ID"] = make_msgid(domain=SERVER)
        notice["Auto-Submitted"] = "auto-replied"
        for part in (MIMEText(words), report, original):
            notice.attach(part)
        with smtplib.SMTP(self._host, self._port, timeout=30) as server:
            server.sendmail("", [to], notice.as_bytes())


def _headers_of(mail: CaughtMail) -> Message:
    """The returned mail, its headers only."""
    original = EmailMessage()
    for name, value in mail.headers:
        if name.lower() in ("from", "to", "subject", "date", "message-id", "feedback-id"):
            original[name] = " ".join(value.split())
    return MIMEMessage(original)
