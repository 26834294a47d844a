"""Settings: every problem at once, and a secret that is made once."""

import stat

import pytest

from campaigns.config import from_environment
from campaigns.errors import BadSettings


def test_an_empty_environment_gives_an_embedded_installation(tmp_path):
    settings = from_environment({"POSTROOM_DATA": str(tmp_path / "new")})
    assert settings.database_url == f"sqlite:///{tmp_path}/new/postroom.db"
    assert settings.public_url == "http://127.0.0.1:8026"
    assert settings.bounce_maildir is None


def test_the_secret_is_made_once_and_readable_by_us_alone(tmp_path):
    env = {"POSTROOM_DATA": str(tmp_path)}
    first = from_environment(env).secret
    assert len(first) == 64
    assert from_environment(env).secret == first
    assert stat.S_IMODE((tmp_path / "secret.key").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["secret.key"]


@pytest.mark.parametrize(
    "url",
    [
        "postgres://us3r:S3CRET@h/d", "smtps+auth://us3r:S3CRET@mx", "us3r:S3CRET@mx", "//us3r:S3CRET@mx", "S3CRET",
        "amqp+x://us3r:S3/CRET@mx", "amqp://us3r:S3CRET@mx:port", "postgresql://us3r:S3#CRET@h/d",
        "smtp://us3r:S3CRET@[mx", "smtp://us3r:S3CRET\uff0f@mx", "https+x://us3r:S3CRET@mx", "mysql://us3r:p@S3CRET/d",
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "name",
    ["POSTROOM_DATABASE_URL", "POSTROOM_SMTP_URL", "POSTROOM_BROKER_URL", "POSTROOM_SPAM_URL", "POSTROOM_PUBLIC_URL"],
)  # fmt: skip
def test_an_address_that_does_not_hold_is_never_shown_with_its_login(tmp_path, name, url):
    with pytest.raises(BadSettings) as caught:
        from_environment({"POSTROOM_DATA": str(tmp_path), name: url})
    told = str(caught.value)
    assert name in told
    assert "S3" not in told
    assert "us3r" not in told


def test_an_address_that_does_not_hold_is_told_by_its_beginning(tmp_path):
    env = {
        "POSTROOM_DATA": str(tmp_path),
        "POSTROOM_DATABASE_URL": "postgres://u:S3CRET@h/d",
        "POSTROOM_SMTP_URL": "smtp://",
    }
    with pytest.raises(BadSettings) as caught:
        from_environment(env)
    told = {one.where: one.what for one in caught.value.problems}
    assert told["POSTROOM_DATABASE_URL"].startswith("begins with postgres://, not one of postgresql")
    assert told["POSTROOM_SMTP_URL"] == "names no host."


def test_all_that_does_not_hold_is_told_at_once(tmp_path):
    env = {
        "POSTROOM_DATA": str(tmp_path),
        "POSTROOM_WEB_PORT": "80000",
        "POSTROOM_SENDERS": "many",
        "POSTROOM_HITS_SYNC": "off",
        "POSTROOM_SMTP_URL": "gopher://x",
        "POSTROOM_DATABASE_URL": "mysql://x/y",
    }
    with pytest.raises(BadSettings) as caught:
        from_environment(env)
    assert {problem.where for problem in caught.value.problems} == set(env) - {"POSTROOM_DATA"}
    assert all(problem.cure for problem in caught.value.problems)
