"""Topics: what contacts may hear about, and say yes or no to."""

import re
from collections.abc import Mapping

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from campaigns.clock import utc_now
from campaigns.records import consent
from campaigns.records.consent import Topic
from campaigns.values import Problem, TopicClass
from web.admin.desk import line, settings, too_long, written
from web.marketing.keys import new_key
from web.session import read, write

KEY = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}")
LONGEST_NAME = 200
LONGEST_DESCRIPTION = 1000


@settings.get("/topics/new")
def new_topic() -> ResponseReturnValue:
    """Show an empty topic."""
    return _form(None, {"topic_class": TopicClass.MARKETING, "public": "1"}, [])


@settings.post("/topics")
def create_topic() -> ResponseReturnValue:
    """Make a topic."""
    name, key, description = line("name"), line("key"), written("description")
    topic_class = request.form.get("topic_class", "")
    problems = _problems(name, description)
    if topic_class not in set(TopicClass):
        problems.append(
            Problem("topic_class", _("is not one of those offered."), _("Choose one of the list."))
        )
    with write() as session:
        taken = {one.key for one in consent.all_topics(session)}
        problems += _problems_of_key(key, taken)
        if problems:
            return _form(None, request.form, problems)
        consent.add_topic(
            session,
            key or new_key(name, lambda wanted: wanted in taken),
            name,
            TopicClass(topic_class),
            now=utc_now(),
            description=description,
            public="public" in request.form,
        )
    flash(_("“%(name)s” was saved.", name=name), "success")
    return redirect(url_for("settings.index"))


@settings.get("/topics/<int:topic_id>")
def topic(topic_id: int) -> ResponseReturnValue:
    """Show a topic, to be changed."""
    with read() as session:
        row = consent.topic_by_id(session, topic_id)
    form = {"name": row.name, "description": row.description} | ({"public": "1"} if row.public else {})
    return _form(row, form, [])


@settings.post("/topics/<int:topic_id>")
def save_topic(topic_id: int) -> ResponseReturnValue:
    """Save what people read of a topic."""
    name, description = line("name"), written("description")
    with write() as session:
        row = consent.topic_by_id(session, topic_id)
        if problems := _problems(name, description):
            return _form(row, request.form, problems)
        public = "public" in request.form
        consent.change_topic(session, topic_id, name=name, description=description, public=public)
    flash(_("“%(name)s” was saved.", name=name), "success")
    return redirect(url_for("settings.index"))


def _problems(name: str, description: str) -> list[Problem]:
    return too_long("name", name, LONGEST_NAME) + too_long("description", description, LONGEST_DESCRIPTION, 0)


def _problems_of_key(key: str, taken: set[str]) -> list[Problem]:
    if not key:
        return []
    if not KEY.fullmatch(key):
        cure = _("Use 1 to 60 of a to z, 0 to 9, - and _; or leave it empty.")
        return [Problem("key", _("is not a key."), cure)]
    if key in taken:
        return [Problem("key", _("is taken."), _("Choose another, or leave it empty."))]
    return []


def _form(row: Topic | None, form: Mapping[str, str], problems: list[Problem]) -> ResponseReturnValue:
    page = render_template("admin/topic.html", row=row, form=form, problems=problems)
    return page, 422 if problems else 200
