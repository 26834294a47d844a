"""Tasks: one's own, those nobody has taken, and those done."""

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from campaigns.clock import utc_now
from campaigns.records import tasks as store
from web.auth import safe_next
from web.sales.desk import me, tasks
from web.sales.finding import page_asked
from web.session import read, write

VIEWS = ("mine", "unowned", "done")


@tasks.get("", endpoint="index")
def index() -> ResponseReturnValue:
    """Show tasks, the most urgent first."""
    view = request.args.get("view", "mine")
    view = view if view in VIEWS else "mine"
    page = page_asked()
    now = utc_now()
    with read() as session:
        owner = None if view == "unowned" else me().id
        found, more = store.listing(session, owner=owner, done=view == "done", page=page)
        counts = {"mine": store.count_open(session, me().id), "unowned": store.count_open(session, None)}
    return render_template(
        "tasks/index.html", tasks=found, more=more, view=view, page=page, counts=counts, now=now
    )


@tasks.post("/<int:task>/done", endpoint="finish")
def finish(task: int) -> ResponseReturnValue:
    """Mark a task as done, with what came of it."""
    with write() as session:
        store.finish(
            session,
            task,
            actor=me().email,
            now=utc_now(),
            outcome=request.form.get("outcome", "").replace("\0", ""),
        )
    flash(_("Done. It stands in the customer's history."), "success")
    return redirect(
        safe_next(request.form.get("next")) if request.form.get("next") else url_for("tasks.index"), 303
    )


@tasks.post("/<int:task>/take", endpoint="take")
def take(task: int) -> ResponseReturnValue:
    """Make a task that nobody has taken one's own."""
    with write() as session:
        store.take(session, task, me().id)
    flash(_("The task is yours."), "success")
    return redirect(url_for("tasks.index"), 303)
