"""Segments: the list, and a page for each with its rule, its count and some of its people."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from campaigns.clock import utc_now
from campaigns.errors import BadInput, BadRule, NotFound
from campaigns.records import names
from campaigns.records import segments as records
from campaigns.records.segments import SegmentRow
from campaigns.segments.describe import describe
from campaigns.segments.reading import decode
from campaigns.segments.rules import Everyone, Rule
from campaigns.segments.writing import to_json
from campaigns.values import Problem
from web.language import reader_language
from web.marketing.desk import actor, desk
from web.marketing.examples import examples, find
from web.marketing.keys import new_key
from web.marketing.lines import noted
from web.numbers import number_from
from web.session import read, write

segments = desk("segments", "/segments")

PEOPLE = 10  #: shown as examples
LONGEST_RULE = 200_000
EVERYONE = {"version": 1, "rule": {"everyone": True}}


@dataclass(frozen=True, slots=True)
class Counted:
    """What a rule means now, or what is wrong with it."""

    sentence: str = ""
    count: int = 0
    people: tuple[dict[str, Any], ...] = ()
    problems: tuple[Problem, ...] = ()
    notes: Sequence[tuple[int | None, Problem]] = ()  #: the same, with their lines


@segments.get("/")
def index() -> ResponseReturnValue:
    """List the segments."""
    with read() as session:
        return render_template(
            "marketing/segments/index.html", rows=records.listing(session, reader_language())
        )


@segments.get("/new")
def new() -> ResponseReturnValue:
    """Show an empty rule."""
    return _form(None, {"name": "", "rule": written(EVERYONE)}, ())


@segments.post("/")
def create() -> ResponseReturnValue:
    """Save a new segment."""
    name = " ".join(request.form.get("name", "").split())
    with write() as session:
        rule: Rule = Everyone()
        problems = _problems_of_name(name)
        try:
            rule = _read(session, request.form.get("rule", ""))
        except BadRule as bad:
            problems += bad.problems
        if problems:
            return _form(None, request.form, tuple(problems))
        key = new_key(name, lambda taken: records.find(session, taken) is not None)
        records.save(session, key, name, to_json(rule), author=actor(), now=utc_now())
        made = records.find(session, key)
    flash(_("Saved."), "success")
    return redirect(url_for("segments.show", segment_id=made))


def _problems_of_name(name: str) -> list[Problem]:
    if 0 < len(name) <= 200:
        return []
    return [Problem("name", _("is empty or too long."), _("Use 1 to %(most)s characters.", most=200))]


@segments.get("/<int:segment_id>")
def show(segment_id: int) -> ResponseReturnValue:
    """Show a segment with its rule."""
    with read() as session:
        row = _row(session, segment_id)
        rule = _stored(session, segment_id)
    return _form(row, {"name": row.name, "rule": written(rule)}, ())


@segments.post("/<int:segment_id>")
def save(segment_id: int) -> ResponseReturnValue:
    """Save the rule as a new version; campaigns use it from their next run on."""
    with write() as session:
        row = _row(session, segment_id)
        try:
            rule = _read(session, request.form.get("rule", ""), key=row.key)
            records.save(session, row.key, row.name, to_json(rule), author=actor(), now=utc_now())
        except BadRule as bad:
            return _form(row, {"name": row.name, "rule": request.form.get("rule", "")}, bad.problems)
    flash(_("Saved. Campaigns use it from their next run on."), "success")
    return redirect(url_for("segments.show", segment_id=segment_id))


@segments.post("/examples/<example>")
def use(example: str) -> ResponseReturnValue:
    """Put an example in the place of the rule; what else was typed stays, and nothing is saved."""
    number = number_from(request.args.get("segment"))
    with read() as session:
        row = _row(session, number) if number is not None else None
        found = find(session, example, but=row.key if row else None)
    if found is None:
        raise NotFound(f"There is no example {example}.")
    name = row.name if row else request.form.get("name", "")
    return _form(row, {"name": name, "rule": found.text}, (), used=str(found.words))


@segments.post("/count")
def count() -> ResponseReturnValue:
    """Say what a rule means, before it is saved: a part of a page."""
    with read() as session:
        try:
            rule = _read(session, request.form.get("rule", ""))
            counted = _counted(session, rule)
        except BadInput as bad:
            counted = _wrong(bad, request.form.get("rule", ""))
    return render_template("marketing/segments/counted.html", counted=counted)


def _wrong(bad: BadInput, text: str) -> Counted:
    return Counted(problems=bad.problems, notes=noted(bad.problems, text))


def _form(
    row: SegmentRow | None, form: Any, problems: tuple[Problem, ...], *, used: str = ""
) -> ResponseReturnValue:
    counted = None
    with read() as session:
        shown = examples(session, but=row.key if row else None)
    if not problems:
        with read() as session:
            try:
                counted = _counted(session, _read(session, form["rule"], key=row.key if row else "this rule"))
            except BadInput as bad:
                counted = _wrong(bad, form["rule"])
    in_rule = [one.where for one in problems if one.where != "name"]
    html = render_template(
        "marketing/segments/show.html",
        row=row,
        form=form,
        problems=problems,
        in_rule=in_rule,
        notes=noted([one for one in problems if one.where != "name"], form.get("rule", "")),
        counted=counted,
        examples=shown,
        used=used,
    )
    return html, 422 if problems else 200


def _counted(session: Session, rule: Rule) -> Counted:
    now = utc_now()
    people = (names.recipient(session, number) for number in records.members(session, rule, now, PEOPLE))
    shown = tuple(
        {
            "customer": one.customer_id,
            "name": names.full_name(one.contact),
            "address": one.address,
            "country": one.contact["country"],
        }
        for one in people
        if one is not None
    )
    return Counted(describe(rule, reader_language()), records.count(session, rule, now), shown)


def _read(session: Session, text: str, *, key: str = "this rule") -> Rule:
    if len(text) > LONGEST_RULE:
        raise BadRule([Problem("document", _("is too long."), _("Write a shorter rule."))])
    return records.read(session, decode(text), key=key)


def _row(session: Session, segment_id: int) -> SegmentRow:
    found = next((row for row in records.listing(session) if row.id == segment_id), None)
    if found is None:
        raise NotFound(f"There is no segment {segment_id}.")
    return found


def _stored(session: Session, segment_id: int) -> dict[str, Any]:
    try:
        return to_json(records.load_version(session, records.newest_version(session, segment_id)))
    except BadInput:
        return EVERYONE


def written(document: dict[str, Any]) -> str:
    """Write a rule as people edit it."""
    return json.dumps(document, indent=2, ensure_ascii=False)
