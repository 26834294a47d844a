"""Pages that show every part of the shell at once; only tests and eyes see them."""

from datetime import UTC, datetime

from flask import Blueprint, Flask, flash, render_template

from campaigns.values import CampaignState, Problem
from web.auth import role_required
from web.charts import Series, line_chart

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
ROWS = [
    ("Winter tyres: book before the frost", CampaignState.RUNNING, 12840, 0.214, 0.031),
    ("Νέα συλλογή, Φθινόπωρο", CampaignState.SCHEDULED, 5100, None, None),
    ("مرحبا بكم في متجرنا", CampaignState.PAUSED, 640, 0.118, 0.012),
    (
        "Donaudampfschifffahrtsgesellschaftskapitänsmützen im Sonderangebot",
        CampaignState.FINISHED,
        248113,
        0.276,
        0.043,
    ),
    ("Customer survey 2026 🎄", CampaignState.DOUBTS, 3312, 0.301, 0.087),
    ("Spring letter", CampaignState.DRAFT, None, None, None),
    ("Old stock", CampaignState.CANCELLED, 91, 0.09, 0.0),
]

home = Blueprint("home", __name__)
campaigns = Blueprint("campaigns", __name__, template_folder="gallery_pages")
segments = Blueprint("segments", __name__)
surveys = Blueprint("surveys", __name__)
customers = Blueprint("customers", __name__)
lookup = Blueprint("lookup", __name__)
settings = Blueprint("settings", __name__)


@home.get("/gallery/home")
def index() -> str:
    return render_template("gallery/empty.html")


@campaigns.get("/gallery/list", endpoint="index")
def listing() -> str:
    flash("“Spring letter” was saved.", "success")
    return render_template("gallery/list.html", rows=ROWS, now=NOW)


@campaigns.get("/gallery/marketing-only")
@role_required("marketing")
def marketing_only() -> str:
    return "for marketing"


@segments.get("/gallery/empty", endpoint="index")
def empty() -> str:
    return render_template("gallery/empty.html")


@surveys.get("/gallery/form", endpoint="index")
def form() -> str:
    problems = [
        Problem("subject", "is empty.", "Write one."),
        Problem("when", "lies in the past.", "Choose a later time."),
    ]
    return render_template("gallery/form.html", problems=problems)


@customers.get("/gallery/record", endpoint="index")
def record() -> str:
    hours = [f"{hour} h" for hour in range(48)]
    people = [round(900 * (hour + 0.4) * 2.7 ** (-hour / 5)) + 20 for hour in range(48)]
    series = [
        Series("People", tuple(people)),
        Series("Machines", tuple(n // 3 + 5 for n in people)),
    ]
    return render_template("gallery/record.html", now=NOW, chart=line_chart(hours, series))


@lookup.get("/gallery/public")
def public() -> str:
    return render_template(
        "gallery/public.html",
        brand={
            "name": "Baumschule Grün & Söhne",
            "imprint": "Baumschule Grün & Söhne, Feldweg 3, 20095 Hamburg",
        },
    )


@lookup.get("/gallery/part", endpoint="index")
def part() -> str:
    return "<p>nothing</p>"


@lookup.get("/gallery/live")
def live() -> str:
    return render_template("gallery/live.html")


@lookup.post("/gallery/live")
def count() -> str:
    return "counted"


@settings.get("/gallery/fail", endpoint="index")
def fail() -> str:
    raise RuntimeError("a secret of the inside")


def register(app: Flask) -> None:
    for blueprint in (home, campaigns, segments, surveys, customers, lookup, settings):
        app.register_blueprint(blueprint)
