"""SES beside what Amazon's own library asks, and before moto, which plays the service."""

import json
from email import message_from_bytes

import pytest

from campaigns.delivery.backend import open_account
from campaigns.errors import BackendError, BadSettings
from campaigns.values import Account, MessageKey, OutcomeKind
from tests.delivery.peers import Account as Watching
from tests.delivery.providers.desks import KEY, SesDesk
from tests.delivery.providers.sending import account, mail, mails, send, token
from tests.delivery.providers.stand import Reply, Stand


def boto(url, **over):
    import boto3
    from botocore.config import Config

    settings = {
        "aws_access_key_id": "AKIDEXAMPLE",
        "aws_secret_access_key": KEY,
        "region_name": "eu-west-1",
        "config": Config(retries={"max_attempts": 0}),
    }
    return boto3.client("sesv2", endpoint_url=url, **settings | over)


def test_what_is_asked_is_what_amazons_own_client_asks():
    with Stand(SesDesk()) as stand:
        send(stand, [mail(1)], configuration_set="events", tag="spring")
        ours = stand.asked[0]
        told = json.loads(ours.body)
        from base64 import b64decode

        params = told | {"Content": {"Raw": {"Data": b64decode(told["Content"]["Raw"]["Data"])}}}
        boto(stand.url).send_email(**params)  # it checks each member by the service's model
        theirs = stand.asked[1]
    assert json.loads(ours.body) == json.loads(theirs.body)
    assert ours.path == theirs.path
    assert ours.headers["content-type"] == theirs.headers["content-type"]
    scope = "/eu-west-1/ses/aws4_request"
    assert scope in ours.headers["authorization"]
    assert scope in theirs.headers["authorization"]
    assert told["ConfigurationSetName"] == "events"
    assert told["EmailTags"] == [{"Name": "postroom", "Value": token(1)}, {"Name": "tag", "Value": "spring"}]


@pytest.fixture
def moto_behind_a_stand():
    """A stand that hands each request on to moto, as it came."""
    moto = pytest.importorskip("moto")
    import requests

    def script(asked, _serve):
        url = f"https://email.eu-west-1.amazonaws.com{asked.path}"
        said = requests.post(url, data=asked.body, headers=dict(asked.headers) | {"host": "x"}, timeout=5)
        return Reply(said.status_code, said.content)

    with moto.mock_aws(), Stand(SesDesk(), script) as stand:
        yield stand


def test_moto_takes_our_mail_from_a_confirmed_sender_as_it_is(moto_behind_a_stand):
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.ses.models import ses_backends

    boto(None).create_email_identity(EmailIdentity="blumen.example")
    backend, watching = open_account(account(SesDesk(), moto_behind_a_stand.url)), Watching()
    batch = mails(3)
    backend.send(batch, watching)
    backend.close()
    assert watching.kinds == {OutcomeKind.SENT: 3}
    sent = ses_backends[DEFAULT_ACCOUNT_ID]["eu-west-1"].sent_messages
    assert [one.raw_data.encode() for one in sorted(sent, key=lambda one: one.raw_data)] == sorted(
        one.data for one in batch
    )
    told = {outcome.text.removeprefix("taken as ") for outcome in watching.outcomes.values()}
    assert told == {one.id for one in sent}


def test_moto_refuses_a_sender_that_is_not_confirmed_and_so_the_backend_stops(moto_behind_a_stand):
    backend, watching = open_account(account(SesDesk(), moto_behind_a_stand.url)), Watching()
    with pytest.raises(BackendError, match="authority to send"):
        backend.send([mail(1)], watching)
    backend.close()
    assert set(watching.kinds) <= {OutcomeKind.DEFERRED}


def test_our_own_signature_is_left_to_amazons_since_it_writes_anew_what_ours_covers():
    signed = mail(1)
    signed = signed._replace(data=b"DKIM-Signature: v=1; h=message-id:date;\r\n b=abc\r\n" + signed.data)
    with Stand(SesDesk()) as stand:
        send(stand, [signed])
        (taken,) = stand.desk.taken
    assert "DKIM-Signature" not in message_from_bytes(taken.told)
    assert taken.told == mail(1).data


@pytest.mark.parametrize(
    "name", ["AccountSuspendedException", "SendingPausedException", "MailFromDomainNotVerifiedException"]
)
def test_what_is_about_the_account_stops_the_backend(name):
    reply = Reply(400, {"message": "no"}, {"x-amzn-errortype": f"{name}:http://internal/"})
    watching = Watching()
    with Stand(SesDesk(), lambda asked, serve: reply) as stand, pytest.raises(BackendError, match=name):
        send(stand, mails(3), watching)
    assert set(watching.kinds) == {OutcomeKind.DEFERRED}


def test_a_sender_or_a_sandboxed_recipient_that_is_not_confirmed_stops_the_backend():
    words = "Email address is not verified. The following identities failed the check in region EU-WEST-1: x"
    reply = Reply(400, {"message": words}, {"x-amzn-errortype": "MessageRejected"})
    with (
        Stand(SesDesk(), lambda asked, serve: reply) as stand,
        pytest.raises(BackendError, match="not verified"),
    ):
        send(stand, mails(3), Watching())


def test_a_throttled_account_waits_whatever_the_status_is():
    reply = Reply(400, {"message": "Rate exceeded"}, {"x-amzn-errortype": "ThrottlingException"})

    def script(asked, _serve):
        return reply if asked.number == 1 else None

    with Stand(SesDesk(), script) as stand:
        assert send(stand, [mail(1)]).kinds == {OutcomeKind.SENT: 1}


def test_keys_are_found_as_amazons_tools_find_them(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEY)
    with Stand(SesDesk()) as stand:
        backend, watching = (
            open_account(Account("x", "ses", {"region": "eu-west-1", "url": stand.url})),
            Watching(),
        )
        backend.send([mail(1)], watching)
        backend.close()
        assert watching.outcomes[MessageKey(1, 1)].kind is OutcomeKind.SENT


def test_one_key_without_the_other_is_refused():
    with pytest.raises(BadSettings, match="one of access_key and secret_key"):
        open_account(Account("x", "ses", {"region": "eu-west-1", "access_key": "AKID"}))


def test_the_address_follows_from_the_region():
    given = {"region": "eu-west-1", "access_key": "AKIDEXAMPLE", "secret_key": KEY}
    backend = open_account(Account("x", "ses", given))
    request = backend._api.ask([], "")
    assert request.url == "https://email.eu-west-1.amazonaws.com/v2/email/outbound-emails"
    backend.close()
