"""Sign-up forms: the list, and a page for each with its figures, its addresses and what came by it."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from campaigns.clock import utc_now
from campaigns.errors import BadForm
from campaigns.flows import offering
from campaigns.flows.offering import Draft
from campaigns.forms.spec import ASKABLE, ATTRIBUTE, FIELDS, LONGEST, Asked, Spec, Words
from campaigns.records import attributes, consent, form_mails, senders, sign_ups
from campaigns.records import forms as records
from campaigns.records import templates as all_templates
from campaigns.records.forms import SignUpForm
from campaigns.records.sign_ups import Refusal
from campaigns.values import Problem, TopicClass
from web.language import LANGUAGES
from web.marketing.desk import actor, desk
from web.marketing.keys import new_key
from web.numbers import number_from
from web.session import read, settings, write

forms = desk("forms", "/forms")
halted = desk("halted", "/halted-forms")

DAYS = 30
#: What people are asked to agree to, unless the marketer writes it anew.
FIRST_WORDS = {
    "en": Words(
        "Hear from us",
        "Yes, please write to me by mail about the following. I can take this back at any time:",
        "Sign up",
        "",
        "",
    ),
    "de": Words(
        "Von uns hören",
        "Ja, bitte schreiben Sie mir per Mail über Folgendes. Das kann ich jederzeit widerrufen:",
        "Anmelden",
        "",
        "",
    ),
}


@forms.get("/")
def index() -> ResponseReturnValue:
    """List the forms with how they are used."""
    now = utc_now()
    with read() as session:
        rows = records.listing(session)
        counts = _counts(session, [row.id for row in rows], now)
    stopped = {row.id for row in rows if row.is_halted(now)}
    return render_template("marketing/forms/index.html", rows=rows, counts=counts, halted=stopped, days=DAYS)


@forms.get("/new")
def new() -> ResponseReturnValue:
    """Show an empty form, with words to start from."""
    typed: dict[str, Any] = {"name": "", "after": "", "origins": "", "sender": "", "template": ""}
    for language, words in FIRST_WORDS.items():
        typed |= {f"{name}_{language}": getattr(words, name) for name in LONGEST}
    with read() as session:
        return _edit(session, None, typed, set(), ())


@halted.get("/")
def lead_to_halted() -> ResponseReturnValue:
    """Lead to the forms that are halted; the navigation names this only while there are any."""
    return redirect(url_for("forms.index"))


@forms.post("/")
def create() -> ResponseReturnValue:
    """Make a form, switched off."""
    with read() as session:
        draft = _draft(session)
    try:
        with write() as session:
            key = new_key(draft.name, lambda taken: records.find(session, taken) is not None)
            made = offering.make(session, key, draft, actor=actor(), now=utc_now())
    except BadForm as bad:
        return _again(None, draft, bad.problems)
    flash(_("Saved. It takes nobody in until you switch it on."), "success")
    return redirect(url_for("forms.show", form_id=made))


@forms.get("/<int:form_id>")
def show(form_id: int) -> ResponseReturnValue:
    """Show how a form is used, where it stands, and what came by it."""
    now = utc_now()
    with read() as session:
        row = records.get(session, form_id)
        counts = _counts(session, [form_id], now)[form_id]
        came = sign_ups.newest(session, form_id)
        mails = form_mails.mail_states(session, came)
        offered = records.offerable(session)
        sender = senders.get(session, row.sender_id)
    return render_template(
        "marketing/forms/show.html",
        row=row,
        counts=counts,
        refused=_refused(counts),
        came=came,
        mails=mails,
        why=in_words(),
        sender=sender,
        topics=[offered[number] for number in row.spec.topics if number in offered],
        halted=row.is_halted(now),
        days=DAYS,
        address=f"{settings().public_url}/f/{row.key}",
        snippets={language: snippet(row, language, offered) for language in row.spec.words},
    )


def _counts(session: Session, of: Sequence[int], now: datetime) -> dict[int, dict[str, int]]:
    """How forms were used in the last days; a mail counts once it went out."""
    counts = records.counts(session, of, now=now, days=DAYS)
    sent = form_mails.sent(session, of, since=now - timedelta(days=DAYS))
    return {form: {**counts.get(form, {}), "sent": sent.get(form, 0)} for form in of}


def _refused(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """How often each reason kept a post from its mail, the commonest first."""
    words = in_words()
    found = [(words[why.value], counts[why.value]) for why in Refusal if counts.get(why.value)]
    return sorted(found, key=lambda pair: -pair[1])


def in_words() -> dict[str, str]:
    """Why a sign-up got no mail, for people of ours."""
    return {
        Refusal.SUPPRESSED.value: _("The address is on the never-mail list"),
        Refusal.ALREADY.value: _("Signed up already"),
        Refusal.TOO_SOON.value: _("Had a confirmation mail within a day"),
        Refusal.TOO_OFTEN.value: _("Had three confirmation mails and confirmed none"),
        Refusal.HALTED.value: _("The form was halted: hardly anybody confirmed"),
        Refusal.OFF.value: _("The form was switched off meanwhile"),
        Refusal.FAILED.value: _("Something went wrong; the worker’s log knows more"),
        Refusal.HONEYPOT.value: _("A robot filled a field that people do not see"),
        Refusal.FORGED.value: _("A script sent no valid stamp"),
        Refusal.PUZZLE.value: _("A script had not solved the puzzle"),
        Refusal.NETWORK.value: _("Too many from one network"),
        Refusal.CROWD.value: _("Too many for this form within an hour"),
        Refusal.ORIGIN.value: _("A script of a site that may not ask"),
    }


def snippet(row: SignUpForm, language: str, offered: Mapping[int, str]) -> str:
    """Write the form as HTML for another page: it leads to ours, with what was typed filled in."""
    words = row.spec.words[language]
    return render_template(
        "marketing/forms/public_snippet.html",
        action=f"{settings().public_url}/f/{row.key}?lang={language}",
        row=row,
        words=words,
        language=language,
        topics=[(number, offered[number]) for number in row.spec.topics if number in offered],
    )


@forms.get("/<int:form_id>/edit")
def edit(form_id: int) -> ResponseReturnValue:
    """Show a form, to be changed."""
    with read() as session:
        row = records.get(session, form_id)
        return _edit(session, row, _typed(row), set(row.spec.topics), ())


@forms.post("/<int:form_id>")
def save(form_id: int) -> ResponseReturnValue:
    """Change a form; who has its page open sees the new words before anything is taken."""
    with read() as session:
        row, draft = records.get(session, form_id), _draft(session)
    try:
        with write() as session:
            offering.change(session, form_id, draft, actor=actor(), now=utc_now())
    except BadForm as bad:
        return _again(row, draft, bad.problems)
    flash(_("Saved. It holds from now on."), "success")
    return redirect(url_for("forms.show", form_id=form_id))


@forms.post("/<int:form_id>/switch")
def switch(form_id: int) -> ResponseReturnValue:
    """Switch a form on or off; on again, it is no longer halted."""
    on = request.form.get("on") == "1"
    with write() as session:
        records.get(session, form_id)
        records.switch(session, form_id, on=on, now=utc_now())
    flash(_("It takes sign-ups from now on.") if on else _("It takes nobody in any more."), "success")
    return redirect(url_for("forms.show", form_id=form_id))


@forms.post("/<int:form_id>/archive")
def archive(form_id: int) -> ResponseReturnValue:
    """Put a form away for good."""
    with write() as session:
        row = records.get(session, form_id)
        records.archive(session, form_id, now=utc_now())
    flash(_("“%(name)s” is put away.", name=row.name), "success")
    return redirect(url_for("forms.index"))


def _draft(session: Session) -> Draft:
    """Read what a marketer typed."""
    topics = tuple(dict.fromkeys(filter(None, map(number_from, request.form.getlist("topic")))))
    asked = [
        Asked(key, word == "required") for key, word in _choices(session) if word in {"asked", "required"}
    ]
    spec = Spec(
        topics=topics,
        words={language: words for language in LANGUAGES if (words := _words(language)) is not None},
        fields=tuple(asked),
        after=request.form.get("after", "").strip(),
        origins=tuple(dict.fromkeys(request.form.get("origins", "").split()[:100])),
        refuse_disposable="refuse_disposable" in request.form,
    )
    name = " ".join(request.form.get("name", "").split())
    chosen = {key: number_from(request.form.get(key)) for key in ("sender", "template")}
    return Draft(name, spec, chosen["sender"], chosen["template"])


def _choices(session: Session) -> list[tuple[str, str]]:
    return [(key, request.form.get(f"ask {key}", "")) for key, _label in askable(session)]


def askable(session: Session) -> list[tuple[str, str]]:
    """What a form can ask besides the address, with a label."""
    names = {"given_name": _("First name"), "family_name": _("Last name"), "country": _("Country")}
    own = [
        (f"{ATTRIBUTE}{key}", one.label or key)
        for key, one in attributes.definitions(session).items()
        if one.type in ASKABLE
    ]
    return [*((key, names[key]) for key in FIELDS), *own]


def _words(language: str) -> Words | None:
    """The texts of one language; None where none is written."""
    typed = {
        name: request.form.get(f"{name}_{language}", "").strip().replace("\r\n", "\n") for name in LONGEST
    }
    return Words(**typed) if any(typed.values()) else None


def _typed(row: SignUpForm) -> dict[str, Any]:
    spec = row.spec
    typed: dict[str, Any] = {
        "name": row.name,
        "after": spec.after,
        "origins": "\n".join(spec.origins),
        "sender": row.sender_id,
        "template": row.template_id,
        "refuse_disposable": spec.refuse_disposable,
        **{f"ask {one.key}": "required" if one.required else "asked" for one in spec.fields},
    }
    for language, words in spec.words.items():
        typed |= {f"{name}_{language}": getattr(words, name) for name in LONGEST}
    return typed


def _again(row: SignUpForm | None, draft: Draft, problems: Sequence[Problem]) -> ResponseReturnValue:
    with read() as session:
        return _edit(session, row, request.form.to_dict(), set(draft.spec.topics), problems)


def _edit(
    session: Session,
    row: SignUpForm | None,
    typed: Mapping[str, Any],
    chosen: set[int],
    problems: Sequence[Problem],
) -> ResponseReturnValue:
    able = [
        topic for topic in consent.all_topics(session) if topic.topic_class is not TopicClass.TRANSACTIONAL
    ]
    fitting = [(one.id, one.name) for one in all_templates.listing(session) if offering.fits(session, one.id)]
    page = render_template(
        "marketing/forms/edit.html",
        row=row,
        typed=typed,
        chosen=chosen,
        problems=problems,
        topics=able,
        askable=askable(session),
        senders=senders.listing(session),
        templates=fitting,
        longest=LONGEST,
        label_of=_label_of,
    )
    return page, 422 if problems else 200


def _label_of(problem: Problem) -> str:
    name, _sep, language = problem.where.rpartition("_")
    texts = {
        "title": _("Heading"),
        "intro": _("Sentence below it"),
        "wording": _("What people agree to"),
        "button": _("Button"),
        "thanks": _("Words after the confirmation"),
    }
    if language in LANGUAGES and name in texts:
        return f"{texts[name]} ({LANGUAGES[language]})"
    labels = {
        "name": _("Name"),
        "topics": _("Topics"),
        "fields": _("What else it asks"),
        "after": _("Where to go after the confirmation"),
        "origins": _("Sites that may ask by script"),
        "sender": _("Sender"),
        "template": _("Confirmation mail"),
        "words": _("Texts"),
    }
    return labels.get(problem.where, problem.where)
