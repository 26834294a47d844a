"""What providers send, written after their documents, one of each event with all that we read of it."""

import json
from copy import deepcopy
from typing import Any

TOKEN = "abcdefghijklmnopqrstuvwxyz234567abcdefghijkl"
ADA = "ada@example.com"
STAMP = 1795338000  #: 2026-11-22 09:00:00 UTC
ISO = "2026-11-22T09:00:00.000Z"
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"
NO_USER = "550 5.1.1 <ada@example.com>: User unknown"

SES_MAIL = {
    "timestamp": "2026-11-22T08:59:00.000Z",
    "messageId": "0107018d-ses",
    "source": f"b+{TOKEN}@bounce.shop.example",
    "destination": [ADA],
    "headers": [
        {"name": "Message-ID", "value": f"<{TOKEN}@shop.example>"},
        {"name": "Subject", "value": "Hi"},
    ],
    "commonHeaders": {"subject": "Hi"},
    "tags": {"ses:configuration-set": ["events"], "postroom": [TOKEN]},
}


def ses(kind: str, name: str, told: dict[str, Any], key: str = "eventType") -> dict[str, Any]:
    return {key: kind, "mail": deepcopy(SES_MAIL), name: told}


def ses_bounce(
    sort: str, sub: str, said: str = "", status: str = "5.1.1", key: str = "eventType"
) -> dict[str, Any]:
    one = {"emailAddress": ADA, "action": "failed", "status": status}
    if said:
        one["diagnosticCode"] = f"smtp; {said}"
    told = {"bounceType": sort, "bounceSubType": sub, "bouncedRecipients": [one], "timestamp": ISO,
            "feedbackId": f"fb-{sort}-{sub}", "reportingMTA": "dns; a8-70.smtp-out.amazonses.com"}  # fmt: skip
    return ses("Bounce", "bounce", told, key)


SES = {
    "send": ses("Send", "send", {}),
    "delivery": ses("Delivery", "delivery", {"timestamp": ISO, "recipients": [ADA], "smtpResponse": "250 ok", "reportingMTA": "mta.example", "processingTimeMillis": 10}),
    "bounce": ses_bounce("Permanent", "General", NO_USER),
    "notice": ses_bounce("Permanent", "General", NO_USER, key="notificationType"),
    "full": ses_bounce("Transient", "MailboxFull", "", "4.2.2"),
    "listed": ses_bounce("Permanent", "OnAccountSuppressionList", ""),
    "complaint": ses("Complaint", "complaint", {"complainedRecipients": [{"emailAddress": ADA}], "timestamp": ISO, "feedbackId": "fb2", "userAgent": "Yahoo!-Mail-Feedback/2.0", "complaintFeedbackType": "abuse", "arrivalDate": ISO}),
    "complaint listed": ses("Complaint", "complaint", {"complainedRecipients": [{"emailAddress": ADA}], "timestamp": ISO, "feedbackId": "fb3", "complaintSubType": "OnAccountSuppressionList"}),
    "delay": ses("DeliveryDelay", "deliveryDelay", {"timestamp": ISO, "delayType": "MailboxFull", "expirationTime": "2026-11-23T09:00:00Z", "delayedRecipients": [{"emailAddress": ADA, "status": "4.2.2", "diagnosticCode": "smtp; 452 4.2.2 full"}]}),
    "reject": ses("Reject", "reject", {"reason": "Bad content"}),
    "failure": ses("Rendering Failure", "failure", {"errorMessage": "Attribute 'x' is not present", "templateName": "t"}),
    "open": ses("Open", "open", {"ipAddress": "192.0.2.1", "timestamp": ISO, "userAgent": AGENT}),
    "click": ses("Click", "click", {"ipAddress": "192.0.2.1", "timestamp": ISO, "userAgent": AGENT, "link": "https://shop.example/a", "linkTags": None}),
    "left": ses("Subscription", "subscription", {"contactList": "l", "timestamp": ISO, "source": "UnsubscribeHeader", "newTopicPreferences": {"unsubscribeAll": True, "topicSubscriptionStatus": []}}),
    "one topic": ses("Subscription", "subscription", {"contactList": "l", "timestamp": "2026-11-22T09:00:01Z", "newTopicPreferences": {"unsubscribeAll": False}}),
    "new": ses("Teleport", "teleport", {}),
}  # fmt: skip


def sendgrid(event: str, **more: Any) -> dict[str, Any]:
    return {"email": ADA, "timestamp": STAMP, "smtp-id": f"<{TOKEN}@shop.example>", "event": event,
            "category": ["x"], "sg_event_id": f"sg-{event}-{len(more)}", "sg_message_id": "m.filter1",
            "postroom": TOKEN, **more}  # fmt: skip


SENDGRID = {
    "processed": sendgrid("processed"),
    "delivered": sendgrid("delivered", response="250 OK", ip="198.51.100.1", tls=1),
    "deferred": sendgrid("deferred", response="451 4.7.1 try again later", attempt="5"),
    "bounce": sendgrid("bounce", reason=NO_USER, status="5.1.1", type="bounce", bounce_classification="Invalid Address"),
    "blocked": sendgrid("bounce", reason="550 5.7.1 blocked using spamhaus", status="5.7.1", type="blocked", bounce_classification="Reputation"),
    "dropped": sendgrid("dropped", reason="Bounced Address", status="5.0.0"),
    "dropped invalid": sendgrid("dropped", reason="Invalid", status="5.0.0"),
    "spam": sendgrid("spamreport"),
    "left": sendgrid("unsubscribe"),
    "left group": sendgrid("group_unsubscribe", asm_group_id=10),
    "back": sendgrid("group_resubscribe", asm_group_id=10),
    "open": sendgrid("open", useragent=AGENT, ip="192.0.2.1", sg_machine_open=False),
    "apple": sendgrid("open", useragent="Mozilla/5.0", ip="192.0.2.1", sg_machine_open=True, sg_content_type="html"),
    "click": sendgrid("click", useragent=AGENT, ip="192.0.2.1", url="https://shop.example/a", url_offset={"index": 0, "type": "html"}),
    "new": sendgrid("teleport"),
}  # fmt: skip


def mailgun(event: str, **more: Any) -> dict[str, Any]:
    told = {"id": f"mg-{event}-{len(more)}", "timestamp": STAMP + 0.5, "log-level": "info", "event": event,
            "recipient": ADA, "recipient-domain": "example.com", "tags": ["x"], "user-variables": {"postroom": TOKEN},
            "message": {"headers": {"message-id": f"{TOKEN}@shop.example", "to": f"Ada <{ADA}>", "from": "x@shop.example"}},
            "envelope": {"sender": "bounce@mg.shop.example", "targets": ADA, "transport": "smtp"}}  # fmt: skip
    return told | more


CLIENT = {"client-info": {"client-os": "Linux", "device-type": "desktop", "client-name": "Chrome", "client-type": "browser", "user-agent": AGENT, "bot": ""}, "ip": "192.0.2.1"}  # fmt: skip
MAILGUN = {
    "accepted": mailgun("accepted"),
    "delivered": mailgun("delivered", **{"delivery-status": {"code": 250, "message": "OK", "tls": True, "mx-host": "mx.example"}}),
    "bounce": mailgun("failed", severity="permanent", reason="bounce", **{"delivery-status": {"code": 550, "message": "5.1.1 User unknown", "description": "", "enhanced-code": "5.1.1", "bounce-type": "hard"}}),
    "listed": mailgun("failed", severity="permanent", reason="suppress-bounce", **{"delivery-status": {"code": 605, "message": "", "description": "Not delivering to previously bounced address"}}),
    "delay": mailgun("failed", severity="temporary", reason="generic", **{"delivery-status": {"code": 452, "message": "4.2.2 full", "retry-seconds": 600}}),
    "rejected": mailgun("rejected", reject={"reason": "Sandbox subdomains are for test purposes only.", "description": ""}),
    "complained": mailgun("complained"),
    "left": mailgun("unsubscribed", **CLIENT),
    "open": mailgun("opened", **CLIENT),
    "apple": mailgun("opened", **{"client-info": {**CLIENT["client-info"], "bot": "apple"}, "ip": "192.0.2.1"}),
    "robot": mailgun("clicked", url="https://shop.example/a", **{"client-info": {**CLIENT["client-info"], "bot": "generic"}, "ip": "192.0.2.1"}),
    "click": mailgun("clicked", url="https://shop.example/a", **CLIENT),
    "new": mailgun("teleported"),
}  # fmt: skip


def postmark(record: str, **more: Any) -> dict[str, Any]:
    return {"RecordType": record, "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483", "ServerID": 23,
            "MessageStream": "broadcast", "Tag": "x", "Metadata": {"postroom": TOKEN}} | more  # fmt: skip


def bounce(sort: str, details: str = "", **more: Any) -> dict[str, Any]:
    return postmark("Bounce", ID=len(sort) * 1000 + len(details), Type=sort, TypeCode=1, Name=sort, Description="The server was unable to deliver your message (ex: unknown user, mailbox not found).",
                    Details=details, Email=ADA, From="x@shop.example", BouncedAt="2026-11-22T09:00:00.1234567Z", DumpAvailable=True, Inactive=True, CanActivate=True, Subject="Hi", **more)  # fmt: skip


def change(**more: Any) -> dict[str, Any]:
    return postmark(
        "SubscriptionChange", Recipient=ADA, ChangedAt="2026-11-22T09:00:00Z", SuppressSending=True, **more
    )


POSTMARK = {
    "delivery": postmark("Delivery", Recipient=ADA, DeliveredAt="2026-11-22T09:00:00Z", Details="Test delivery webhook details"),
    "bounce": bounce("HardBounce", f"smtp;{NO_USER}"),
    "soft": bounce("SoftBounce", "smtp;552 5.2.2 Mailbox full"),
    "transient": bounce("Transient", "smtp;450 4.2.0 try later"),
    "blocked": bounce("Blocked", "smtp;554 5.7.1 blocked using zen.spamhaus.org"),
    "bad": bounce("BadEmailAddress"),
    "away": bounce("AutoResponder", "I am away"),
    "challenge": bounce("ChallengeVerification"),
    "deactivated": bounce("ManuallyDeactivated"),
    "dmarc": bounce("DMARCPolicy"),
    "left by bounce": bounce("Unsubscribe"),
    "complaint": postmark("SpamComplaint", ID=42, Type="SpamComplaint", TypeCode=512, Name="Spam complaint", Description="The subscriber explicitly marked this message as spam.", Details="x", Email=ADA, BouncedAt="2026-11-22T09:00:00Z"),
    "left": change(Origin="Recipient", SuppressionReason="ManualSuppression"),
    "back": change(Origin="Recipient", SuppressionReason=None) | {"SuppressSending": False},
    "open": postmark("Open", Recipient=ADA, ReceivedAt="2026-11-22T09:00:00Z", FirstOpen=True, UserAgent=AGENT, Geo={"IP": "192.0.2.1", "City": "x"}, Client={"Name": "Chrome"}, Platform="Desktop"),
    "click": postmark("Click", Recipient=ADA, ReceivedAt="2026-11-22T09:00:00Z", ClickLocation="HTML", UserAgent=AGENT, OriginalLink="https://shop.example/a", Geo={"IP": "192.0.2.1"}),
    "new": postmark("Teleport"),
}  # fmt: skip


def mailjet(event: str, **more: Any) -> dict[str, Any]:
    return {"event": event, "time": STAMP, "MessageID": 19421777835146490, "Message_GUID": "1ab23cd4", "email": ADA,
            "mj_campaign_id": 7257, "mj_contact_id": 4, "customcampaign": "", "CustomID": TOKEN, "Payload": ""} | more  # fmt: skip


MAILJET = {
    "sent": mailjet("sent", smtp_reply="sent (250 2.0.0 OK 4242424242 fa5si855896wjc.199 - gsmtp)"),
    "bounce": mailjet("bounce", blocked=False, hard_bounce=True, error_related_to="recipient", error="user unknown", comment="Host or domain name not found."),
    "full": mailjet("bounce", blocked=False, hard_bounce=False, error_related_to="recipient", error="quota exceeded", comment=""),
    "grey": mailjet("bounce", blocked=False, hard_bounce=False, error_related_to="domain", error="greylisted", comment="4.7.1 later"),
    "blocked": mailjet("blocked", error_related_to="recipient", error="preblocked"),
    "content": mailjet("blocked", error_related_to="spam", error="content blocked"),
    "spam": mailjet("spam", source="JMRPP"),
    "left": mailjet("unsub", mj_list_id=1, ip="192.0.2.1", geo="FR", agent=AGENT),
    "open": mailjet("open", ip="192.0.2.1", geo="US", agent=AGENT),
    "click": mailjet("click", url="https://shop.example/a", ip="192.0.2.1", geo="US", agent=AGENT),
    "payload": mailjet("open", CustomID="", Payload=json.dumps({"postroom": TOKEN}), ip="192.0.2.1"),
    "new": mailjet("teleport"),
}  # fmt: skip


def brevo(event: str, **more: Any) -> dict[str, Any]:
    return {"event": event, "email": ADA, "id": 26224, "date": "2026-11-22 10:00:00", "ts": STAMP + 3600,
            "message-id": "<202611220900.1@smtp-relay.mailin.fr>", "ts_event": STAMP, "subject": "Hi",
            "X-Mailin-custom": TOKEN, "tags": ["x"], "sending_ip": "198.51.100.1", "template_id": 22,
            "ts_epoch": STAMP * 1000} | more  # fmt: skip


BREVO = {
    "request": brevo("request"),
    "delivered": brevo("delivered"),
    "deferred": brevo("deferred", reason="451 4.7.1 spam score"),
    "hard": brevo("hard_bounce", reason=NO_USER),
    "soft": brevo("soft_bounce", reason="552 5.2.2 Mailbox full"),
    "blocked": brevo("blocked", reason="blocked : due to blacklist user"),
    "invalid": brevo("invalid_email", reason="invalid"),
    "error": brevo("error", reason="x"),
    "complaint": brevo("complaint"),
    "spam": brevo("spam"),
    "left": brevo("unsubscribe"),
    "open": brevo("opened"),
    "first open": brevo("unique_opened"),
    "proxy": brevo("unique_proxy_open"),
    "click": brevo("click", link="https://shop.example/a"),
    "custom": brevo("opened", **{"X-Mailin-custom": json.dumps({"postroom": TOKEN})}),
    "new": brevo("list_teleport"),
}


def resend(kind: str, **more: Any) -> dict[str, Any]:
    data = {"broadcast_id": None, "created_at": "2026-11-22 09:00:00.894719+00", "email_id": "56761188-7520-42d8-8898-ff6fc54ce618",
            "from": "Shop <x@shop.example>", "to": [ADA], "subject": "Hi", "tags": {"postroom": TOKEN}}  # fmt: skip
    return {"type": kind, "created_at": ISO, "data": data | more}


RESEND = {
    "sent": resend("email.sent"),
    "delivered": resend("email.delivered"),
    "delayed": resend("email.delivery_delayed"),
    "bounced": resend("email.bounced", bounce={"type": "Permanent", "subType": "General", "message": "The recipient's email provider sent a hard bounce message, but didn't specify the reason for the hard bounce.", "diagnosticCode": [f"smtp; {NO_USER}"]}),
    "quiet": resend("email.bounced", bounce={"type": "Permanent", "subType": "Suppressed", "message": "The recipient is on our list."}),
    "complained": resend("email.complained"),
    "opened": resend("email.opened", open={"ipAddress": "192.0.2.1", "timestamp": ISO, "userAgent": AGENT}),
    "clicked": resend("email.clicked", click={"ipAddress": "192.0.2.1", "link": "https://shop.example/a", "timestamp": ISO, "userAgent": AGENT}),
    "failed": resend("email.failed", failed={"reason": "reached_daily_quota"}),
    "suppressed": resend("email.suppressed", suppressed={"message": "on the list", "type": "OnAccountSuppressionList"}),
    "pairs": resend("email.delivered", tags=[{"name": "tag", "value": "x"}, {"name": "postroom", "value": TOKEN}]),
    "contact": {"type": "contact.updated", "created_at": ISO, "data": {"id": "c", "email": ADA, "unsubscribed": True}},
    "new": resend("email.teleported"),
}  # fmt: skip

ALL = {"ses": SES, "sendgrid": SENDGRID, "mailgun": MAILGUN, "postmark": POSTMARK, "mailjet": MAILJET,
       "brevo": BREVO, "resend": RESEND}  # fmt: skip
#: How an event is packed into a call.
PACK = {
    "ses": lambda event: {"Type": "Notification", "MessageId": "22b80b92", "Timestamp": ISO, "TopicArn": "arn:x", "Message": json.dumps(event)},
    "sendgrid": lambda event: [event],
    "mailgun": lambda event: {"signature": {"token": "t" * 50, "timestamp": str(STAMP), "signature": "x"}, "event-data": event},
    "mailjet": lambda event: [event],
}  # fmt: skip


def packed(provider: str, event: Any) -> Any:
    return PACK.get(provider, lambda one: one)(event)
