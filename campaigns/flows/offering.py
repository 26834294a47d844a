"""Making sign-up forms: what a marketer wants, checked as a whole before it is kept."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from campaigns.errors import BadForm, NotFound
from campaigns.forms.spec import Spec, require_spec
from campaigns.records import attributes, forms, senders, templates
from campaigns.templates import starters
from campaigns.templates.render import compile_source
from campaigns.templates.uses import used_names
from campaigns.values import Problem

#: The template that a form has unless another is chosen; made of the starter when it is first needed.
TEMPLATE = "sign-up-confirmation"
NEEDED = "links.confirm"
#: What a confirmation mail may name: nothing that whoever filled in the form wrote.
MAY_NAME = frozenset({NEEDED, "sender", "today", "campaign.name"})
LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class Draft:
    """What a marketer wants of a form; None for our own template."""

    name: str
    spec: Spec
    sender: int | None
    template: int | None


def make(session: Session, key: str, draft: Draft, *, actor: str, now: datetime) -> int:
    """Make a form, switched off.

    Raises:
        BadForm: with everything that does not hold.
    """
    sender, template = _checked(session, draft, actor, now)
    forms.confirmation_topic(session, now=now)  # before two forms need it at once
    return forms.add(
        session, key, draft.name, draft.spec, sender=sender, template=template, actor=actor, now=now
    )


def change(session: Session, form: int, draft: Draft, *, actor: str, now: datetime) -> None:
    """Change a form.

    Raises:
        BadForm: with everything that does not hold.
        NotFound: there is no such form.
    """
    sender, template = _checked(session, draft, actor, now)
    forms.edit(session, form, name=draft.name, spec=draft.spec, sender=sender, template=template, now=now)


def _checked(session: Session, draft: Draft, actor: str, now: datetime) -> tuple[int, int]:
    problems: list[Problem] = []
    if not 0 < len(draft.name) <= LONGEST_NAME or not draft.name.isprintable():
        problems.append(Problem("name", "is empty or too long.", f"Use 1 to {LONGEST_NAME} characters."))
    if draft.sender not in {number for number, _ in senders.listing(session)}:
        problems.append(Problem("sender", "is missing.", "Choose whom the confirmation mail is from."))
    template = draft.template
    if template is None:
        template = _own_template(session, actor, now)
    problems += _problems_of(session, template)
    types = {key: one.type for key, one in attributes.definitions(session).items()}
    try:
        require_spec(draft.spec, topics=list(forms.offerable(session)), attributes=types)
    except BadForm as bad:
        problems += bad.problems
    if problems or draft.sender is None:
        raise BadForm(problems)
    return draft.sender, template


def _own_template(session: Session, actor: str, now: datetime) -> int:
    found = templates.find(session, TEMPLATE)
    if found is not None:
        return found
    sources = [starters.load("confirmation", language) for language in starters.LANGUAGES]
    bodies = [(source, compile_source(source)) for source in sources]
    templates.save(session, TEMPLATE, starters.title("confirmation"), bodies, author=actor, now=now)
    made = templates.find(session, TEMPLATE)
    assert made is not None
    return made


def _problems_of(session: Session, template: int) -> list[Problem]:
    """What speaks against a template as a confirmation mail."""
    try:
        bodies = templates.compiled(session, templates.newest_version(session, template))
    except NotFound:
        return [Problem("template", "is not there.", "Choose one of the list.")]
    problems = []
    for body in bodies:
        used = used_names(body)
        if NEEDED not in used and "links" not in used:
            problems.append(
                Problem("template", f"({body.language}) has no {{{{ {NEEDED} }}}}.", "Put it in, as a link.")
            )
        foreign = sorted(
            name for name in used if name not in MAY_NAME and name.partition(".")[0] not in MAY_NAME
        )
        if foreign:
            told = f"({body.language}) names {', '.join(foreign)}, which a stranger may have written."
            problems.append(Problem("template", told, "Take it out of the confirmation mail."))
    return problems


def fits(session: Session, template: int) -> bool:
    """Tell whether a template can be a confirmation mail."""
    return not _problems_of(session, template)
