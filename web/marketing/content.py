"""Content: templates, their languages, what speaks against them, and their source."""

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import get_locale
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from campaigns.clock import utc_now
from campaigns.errors import BadTemplate, NotFound
from campaigns.records import template_files
from campaigns.records import templates as records
from campaigns.records.templates import TemplateRow
from campaigns.templates import preflight, starters
from campaigns.templates.files import LARGEST, lost_pictures, on_a_page, read_file, require_fit
from campaigns.templates.names import documented
from campaigns.templates.render import compile_source, prepare
from campaigns.templates.samples import sample_names
from campaigns.values import Attachment, Compiled, Content, Problem, Source
from web.language import LANGUAGES
from web.marketing.campaigns.preview import framed, preheader_of
from web.marketing.desk import actor, desk
from web.marketing.keys import new_key
from web.marketing.lines import noted_source
from web.marketing.sources import BLANK, KINDS, read_source
from web.session import read, write

templates = desk("templates", "/content")


@dataclass(frozen=True, slots=True)
class Edition:
    """One language of a template: as written, and compiled."""

    source: Source
    compiled: Compiled


@templates.get("/")
def index() -> ResponseReturnValue:
    """List the templates."""
    with read() as session:
        rows = records.listing(session)
    return render_template("marketing/content/index.html", rows=rows)


@templates.get("/new")
def new() -> ResponseReturnValue:
    """Offer the starters."""
    return _new({}, ())


def _new(form: dict[str, str], problems: tuple[Problem, ...]) -> ResponseReturnValue:
    language = get_locale().language
    offered = [(name, starters.title(name, language)) for name in starters.NAMES]
    html = render_template(
        "marketing/content/new.html", offered=offered, kinds=KINDS, form=form, problems=problems
    )
    return html, 422 if problems else 200


@templates.get("/starters/<name>")
def starter(name: str) -> ResponseReturnValue:
    """Give a starter as an example reads it, for its frame."""
    language = get_locale().language if get_locale().language in starters.LANGUAGES else "en"
    return framed(example(compile_source(starters.load(name, language))).html or "")


@templates.post("/")
def create() -> ResponseReturnValue:
    """Make a template from a starter, in all of its languages, or an empty one."""
    name = " ".join(request.form.get("name", "").split())
    start = request.form.get("start", "")
    problems = []
    if not 0 < len(name) <= 200:
        problems.append(
            Problem("name", _("is empty or too long."), _("Use 1 to %(most)s characters.", most=200))
        )
    if start not in starters.NAMES and start not in BLANK:
        problems.append(Problem("start", _("is missing."), _("Choose what to start from.")))
    if problems:
        return _new(request.form.to_dict(), tuple(problems))
    bodies = [(source, compile_source(source)) for source in _sources_of(start)]
    with write() as session:
        key = new_key(name, lambda taken: records.find(session, taken) is not None)
        records.save(session, key, name, bodies, author=actor(), now=utc_now())
        made = records.find(session, key)
    flash(_("This is your template; nothing uses it yet."), "success")
    return redirect(url_for("templates.show", template_id=made))


def _sources_of(start: str) -> list[Source]:
    if start in starters.NAMES:
        return [starters.load(start, language) for language in starters.LANGUAGES]
    return [BLANK[start]]


@templates.get("/<int:template_id>")
def show(template_id: int) -> ResponseReturnValue:
    """Show a template as an example reads it, and what speaks against it."""
    return _show(template_id, ())


def _show(template_id: int, problems: tuple[Problem, ...]) -> ResponseReturnValue:
    with read() as session:
        row, editions = load_editions(session, template_id)
        version = records.newest_version(session, template_id)
        files = template_files.of_version(session, version)
    edition = _chosen(editions, request.args.get("language"))
    broken: tuple[Problem, ...] = ()
    content = None
    try:
        content = example(edition.compiled)
    except BadTemplate as bad:
        broken = bad.problems
    html = render_template(
        "marketing/content/show.html",
        row=row,
        version=version,
        editions=editions,
        edition=edition,
        content=content,
        broken=broken,
        preheader=preheader_of(content.html) if content else "",
        findings=preflight.check(edition.compiled, edition.source, files),
        kinds=KINDS,
        languages_known=LANGUAGES,
        files=files,
        problems=problems,
    )
    return html, 422 if problems else 200


@templates.get("/<int:template_id>/mail/<language>")
def mail(template_id: int, language: str) -> ResponseReturnValue:
    """Give the mail itself as an example reads it, for its frame."""
    with read() as session:
        _row, editions = load_editions(session, template_id)
        files = template_files.of_version(session, records.newest_version(session, template_id))
    content = example(_chosen(editions, language).compiled)
    return framed(on_a_page(replace(content, files=files)) or "")


@templates.post("/<int:template_id>/files")
def attach(template_id: int) -> ResponseReturnValue:
    """Add a file to the template, as a new version."""
    name, data = _uploaded()
    try:
        made = read_file(name, data, within=request.form.get("within") == "1")
        with write() as session:
            _save_files(session, template_id, lambda files: (*files, made))
    except BadTemplate as bad:
        return _show(template_id, bad.problems)
    flash(_("Every mail of this template carries %(name)s from now on.", name=made.name), "success")
    return redirect(url_for("templates.show", template_id=template_id, _anchor="files-title"))


def _uploaded() -> tuple[str, bytes]:
    upload = request.files.get("file")
    if upload is None:
        return "", b""
    with closing(upload):  # a large one lies in a file meanwhile
        return upload.filename or "", upload.stream.read(LARGEST + 1)


@templates.post("/<int:template_id>/files/remove")
def detach(template_id: int) -> ResponseReturnValue:
    """Take a file off the template, as a new version; a picture that a language shows stays."""
    name = request.form.get("name", "")
    try:
        with write() as session:
            _save_files(session, template_id, lambda files: tuple(one for one in files if one.name != name))
    except BadTemplate as bad:
        return _show(template_id, bad.problems)
    flash(_("%(name)s was removed.", name=name), "success")
    return redirect(url_for("templates.show", template_id=template_id, _anchor="files-title"))


def _save_files(
    session: Session, template_id: int, change: Callable[[tuple[Attachment, ...]], tuple[Attachment, ...]]
) -> None:
    """Save a version with other files, if all languages can do with them."""
    row, editions = load_editions(session, template_id)
    version = records.newest_version(session, template_id)
    files = change(template_files.of_version(session, version))
    require_fit(files)
    lost = [problem for one in editions for problem in lost_pictures(one.compiled.html, files)]
    if lost:
        raise BadTemplate(lost)
    bodies = [(one.source, one.compiled) for one in editions]
    records.save(session, row.key, row.name, bodies, author=actor(), now=utc_now(), files=files)


@templates.get("/<int:template_id>/edit")
def edit(template_id: int) -> ResponseReturnValue:
    """Show the source of one language; of a new one, that of the first to start from."""
    with read() as session:
        row, editions = load_editions(session, template_id)
    wanted = request.args.get("language")
    source = _chosen(editions, wanted).source
    form = {
        "language": wanted if wanted is not None else source.language,
        "kind": source.kind.value,
        "subject": source.subject,
        "preheader": source.preheader,
        "body": source.body,
        "text": source.text,
    }
    return edit_page(row, editions, form, ())


def edit_page(
    row: TemplateRow,
    editions: list[Edition],
    form: dict[str, str],
    problems: tuple[Problem, ...],
    tried: dict[str, object] | None = None,
) -> ResponseReturnValue:
    """Show the form of a source, with what is wrong with it, and how it was tried."""
    in_body = [one for one in problems if one.where.startswith("body")]
    html = render_template(
        "marketing/content/edit.html",
        row=row,
        editions=editions,
        form=form,
        problems=[one for one in problems if one not in in_body],
        notes=noted_source(in_body),
        tried=tried,
        kinds=KINDS,
        names=documented(),
        is_new=form["language"] not in {one.source.language for one in editions},
    )
    return html, 422 if problems else 200


def typed_source(form: Mapping[str, str]) -> dict[str, str]:
    """What was typed into the form of a source."""
    names = ("language", "kind", "subject", "preheader", "body", "text")
    return {name: form.get(name, "") for name in names}


@templates.post("/<int:template_id>/edit")
def save(template_id: int) -> ResponseReturnValue:
    """Compile a source and save it as a new version; the other languages stay as they are."""
    form = typed_source(request.form)
    with read() as session:
        row, editions = load_editions(session, template_id)
        files = template_files.of_version(session, records.newest_version(session, template_id))
    try:
        source = read_source(form)
        made = Edition(source, compile_source(source, files))
    except BadTemplate as bad:
        return edit_page(row, editions, form, bad.problems)
    with write() as session:
        _row, editions = load_editions(
            session, template_id
        )  # afresh: a colleague may have saved another language
        kept = [one for one in editions if one.source.language != source.language]
        bodies = [(one.source, one.compiled) for one in (*kept, made)]
        records.save(session, row.key, row.name, bodies, author=actor(), now=utc_now())
    flash(_("Saved as a new version. Runs that are under way keep the one they began with."), "success")
    return redirect(url_for("templates.show", template_id=template_id, language=source.language))


def find_row(session: Session, template_id: int) -> TemplateRow:
    """A template by its number.

    Raises:
        NotFound: there is none.
    """
    row = next((one for one in records.listing(session) if one.id == template_id), None)
    if row is None:
        raise NotFound(f"There is no template {template_id}.")
    return row


def load_editions(session: Session, template_id: int) -> tuple[TemplateRow, list[Edition]]:
    """A template and its languages, as its newest version has them."""
    row = find_row(session, template_id)
    version = records.newest_version(session, template_id)
    pairs = zip(records.sources(session, version), records.compiled(session, version), strict=True)
    return row, [Edition(source, compiled) for source, compiled in pairs]


def _chosen(editions: list[Edition], language: str | None) -> Edition:
    """The language asked for, else the reader's own, else the first."""
    named = {one.source.language: one for one in editions}
    own = get_locale().language if language is None else language
    return named.get(own, editions[0])


def example(compiled: Compiled) -> Content:
    """Render a template as an example reads it."""
    names = sample_names(compiled.language, utc_now().date())
    for product in names["products"]:
        product["image"] = None  # the example's pictures are on no server
    return prepare(compiled).render(names)
