"""The compose file names only what there is."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from campaigns.cli import Commands
from campaigns.config import from_environment
from campaigns.errors import BadSettings

DEPLOY = Path(__file__).parents[2] / "deploy"
TEXT = (DEPLOY / "compose.yaml").read_text()


def test_every_command_exists():
    given = re.findall(r'^    command: \["(?!-)([^"]+)"', TEXT, re.MULTILINE)
    assert set(given) == {"migrate", "web", "hits", "worker", "celery-worker"}
    assert set(given) <= set(Commands.places)


def test_the_settings_it_gives_are_read(tmp_path):
    block = TEXT.split("  environment:\n", 1)[1].split("  # one volume", 1)[0]
    given = dict(re.findall(r'^    (POSTROOM_\w+): "?(.*?)"?$', block, re.MULTILINE))
    values = {name: re.sub(r"\$\{(\w+):[?-][^}]*\}", filling, value) for name, value in given.items()}
    read = from_environment({"POSTROOM_DATA": str(tmp_path), **values})
    assert read.broker_url == "amqp://postroom:hunter2@rabbitmq//"
    assert read.database_url == "postgresql://postroom:hunter2@postgres/postroom"
    assert (read.window, read.rate) == (8, None)
    known = {f"POSTROOM_{field.name.upper()}" for field in fields(read)}
    assert given.keys() <= known


def filling(found):
    """What an administrator puts in for a variable."""
    return {
        "POSTROOM_SMTP_URL": "smtps://me:pw@mail.example.com:465",
        "POSTROOM_PUBLIC_URL": "https://news.example.com",
        "POSTROOM_RATE": "",
    }.get(found[1], "hunter2")


def test_the_same_settings_without_a_database_server_are_refused(tmp_path):
    with pytest.raises(BadSettings, match="POSTROOM_BROKER_URL"):
        from_environment({"POSTROOM_DATA": str(tmp_path), "POSTROOM_BROKER_URL": "amqp://a:b@rabbitmq//"})


def test_images_come_from_no_named_registry():
    images = re.findall(r"^\s+image: (\S+)$", TEXT, re.MULTILINE)
    assert {image.partition(":")[0] for image in images} == {"postroom-cluster", "postgres", "rabbitmq"}
