"""`postroom import`, as it is typed: what it shows, asks, says, lists, and exits with."""

import csv
import runpy

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from campaigns.cli import import_progress
from campaigns.cli.import_progress import progressing, standing
from campaigns.cli.import_words import plain
from campaigns.cli.importing import import_
from campaigns.errors import BadImport, NotFound
from campaigns.model.commerce import orders, products
from campaigns.model.consent import consents
from campaigns.model.customers import contacts
from campaigns.model.events import events, imports
from campaigns.records import consent
from campaigns.values import TopicClass
from tests.factories import NOW

PEOPLE = """ID,Email,First name,Country,Phone,Consent,Consent date,Consent source,Genre,Shoe size
C1,ada@example.com,Ada,GB,,yes,2026-01-02,form,Jazz,38
C2,bob@example.com,Bob,DE,nonsense,yes,,,Rock,44
C3,not an address,Cid,DE,,no,2026-01-02,form,Rock,40
"""
ORDERS = """Order,Customer,SKU,Product,Quantity,Amount,Currency,Status,Placed at
A-1,C1,ROC-1,North,2,31.67,EUR,paid,2026-05-22T10:16
A-2,C9,ROC-1,North,1,5,EUR,paid,2026-05-22T10:16
"""
TOPIC = ("--topic", "news", "--attribute", "Genre=genre:text")


@pytest.fixture
def folder(tmp_path, stores, database_url, monkeypatch):
    """A folder with both files, and an installation that the command will find."""
    (tmp_path / "people.csv").write_text(PEOPLE)
    (tmp_path / "orders.csv").write_text(ORDERS)
    monkeypatch.setenv("POSTROOM_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("POSTROOM_DATABASE_URL", database_url)
    monkeypatch.chdir(tmp_path)
    with stores.sessions.begin() as session:
        consent.add_topic(session, "news", "News", TopicClass.MARKETING, now=NOW)
    return tmp_path


def typed(*arguments, fed=None):
    return CliRunner().invoke(import_, list(arguments), input=fed)


def counted(stores, table):
    with stores.readers() as session:
        return session.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def listed(path):
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [(row["line"], row["column"], row["value"], row["effect"]) for row in csv.DictReader(file)]


def test_contacts_come_in_and_the_words_say_what_became_of_them(folder, stores):
    done = typed("contacts", "people.csv", *TOPIC, "--yes")
    assert done.exit_code == 0, done.output
    said = " ".join(done.stdout.split())
    for words in (
        "First name given_name Ada",
        "Genre genre (text) Jazz",
        "Not read: 'Shoe size'. To read one: --map COLUMN=FIELD.",
        "To keep one as an attribute of its own: --attribute COLUMN=key:type (",
        "people.csv: 3 rows in",
        "2 new contacts",
        "1 row refused",
        "1 value left empty",
        "Consent to 'news': 1 granted 1 pending",
        "listed in people.rejects.csv",
    ):
        assert words in said
    assert counted(stores, contacts) == 2
    assert sorted(listed(folder / "people.rejects.csv")) == [
        ("3", "Phone", "nonsense", "value left out"),
        ("4", "Email", "not an address", "row refused"),
    ]


def test_contacts_again_are_unchanged(folder, stores):
    typed("contacts", "people.csv", *TOPIC, "--yes")
    before = counted(stores, events), counted(stores, consents)
    said = typed("contacts", "people.csv", *TOPIC, "--yes").stdout
    assert "2 contacts unchanged" in said
    assert "as it was already" in said
    assert (counted(stores, events), counted(stores, consents)) == before


def test_orders_come_in_after_their_contacts(folder, stores):
    typed("contacts", "people.csv", *TOPIC, "--yes")
    done = typed("orders", "orders.csv", "--yes", "--rejects", "bad.csv")
    assert done.exit_code == 0, done.output
    said = " ".join(done.stdout.split())
    for words in ("1 new order", "1 order refused", "1 new product", "first order", "1 paid", "bad.csv"):
        assert words in said
    assert listed(folder / "bad.csv") == [("3", "Customer", "C9", "row refused")]
    assert counted(stores, orders) == 1


@pytest.mark.parametrize("mode", ["--dry-run", "--preview"])
def test_looking_changes_nothing_at_all(folder, stores, mode):
    typed("contacts", "people.csv", "--map", "Consent=-", "--yes")
    held = counted(stores, contacts), counted(stores, imports)
    for command in (("contacts", "people.csv", *TOPIC), ("orders", "orders.csv")):
        done = typed(*command, mode)
        assert done.exit_code == 0, done.output
        assert ("Nothing was changed." in done.stdout) == (mode == "--dry-run")
    assert (counted(stores, contacts), counted(stores, imports)) == held
    assert counted(stores, orders) == counted(stores, products) == counted(stores, consents) == 0


def test_a_dry_run_of_changed_contacts_shows_some(folder):
    typed("contacts", "people.csv", *TOPIC, "--yes")
    (folder / "people.csv").write_text(PEOPLE.replace("Ada", "Augusta"))
    said = typed("contacts", "people.csv", *TOPIC, "--dry-run").stdout
    assert "1 contact changed" in said
    assert "given_name 'Ada' → 'Augusta'" in said


def test_without_a_terminal_or_a_yes_nothing_is_imported(folder, stores):
    done = typed("orders", "orders.csv")
    assert done.exit_code == 1
    assert "--yes" in done.stderr
    assert counted(stores, imports) == 0


@pytest.mark.parametrize(("answer", "count"), [("y\n", 1), ("n\n", 0), ("\n", 0)])
def test_on_a_terminal_it_asks(folder, stores, monkeypatch, answer, count):
    monkeypatch.setattr("campaigns.cli.importing._has_terminal", lambda: True)
    done = typed("orders", "orders.csv", fed=answer)
    assert done.exit_code == 0
    assert "Import orders.csv so? [y/N]" in done.output
    assert counted(stores, imports) == count


def test_every_wrong_option_is_told(folder):
    for arguments, words in (
        (("orders", "orders.csv", "--map", "Order"), "Write COLUMN=FIELD"),
        (("orders", "orders.csv", "--map", "Nix=sku"), "no column 'Nix'"),
        (("orders", "orders.csv", "--currency", "EURO"), "no currency"),
        (("orders", "orders.csv", "--decimal", ";"), "no decimal mark"),
        (("orders", "nowhere.csv"), "no file"),
        (("orders", "orders.csv", "--yes", "--rejects", "orders.csv"), "the file to be read"),
        (("orders", "orders.csv", "--yes", "--rejects", "no/where.csv"), "cannot be written"),
        (("contacts", "people.csv"), "--topic"),
        (("contacts", "people.csv", *TOPIC, "--country", "Atlantis"), "no country"),
        (("contacts", "people.csv", *TOPIC, "--consent-date", "2999-01-01"), "future"),
        (("contacts", "people.csv", "--attribute", "Genre"), "COLUMN=key:type"),
    ):
        done = typed(*arguments)
        assert isinstance(done.exception, BadImport), arguments
        assert words in str(done.exception)
    assert (folder / "orders.csv").read_text() == ORDERS


def test_an_unknown_topic_is_told(folder):
    done = typed("contacts", "people.csv", "--topic", "nix", "--yes")
    assert isinstance(done.exception, NotFound)
    assert not list(folder.glob(".*.part"))


def test_no_list_is_made_where_nothing_was_refused_unless_it_was_asked_for(folder):
    (folder / "people.csv").write_text("ID,Email\nC1,ada@example.com\n")
    done = typed("contacts", "people.csv", "--yes")
    assert "listed in" not in done.stdout
    assert not (folder / "people.rejects.csv").exists()
    typed("contacts", "people.csv", "--yes", "--rejects", "none.csv")
    assert listed(folder / "none.csv") == []
    assert not list(folder.glob(".*.part"))


def test_nothing_of_a_file_steers_the_terminal(folder):
    (folder / "people.csv").write_text("ID,Email,\x1b[2J\nC1,a\x1b]0;x\x07@example.com,1\n")
    done = typed("contacts", "people.csv", "--preview")
    assert done.exit_code == 0
    assert "\x1b" not in done.output
    assert "\x07" not in done.output


def test_shown_text_is_short_and_printable():
    assert plain("a\u202eb\x1b") == "a\ufffdb\ufffd"
    assert len(plain("x" * 500)) == 60


def test_progress_is_told_in_lines_where_there_is_no_terminal(capsys, monkeypatch):
    monkeypatch.setattr(import_progress, "EVERY", 0.0)
    with progressing() as tell:
        tell(500, 1000)
    told = capsys.readouterr().err
    assert told.startswith("500 of 1,000 lines, ")
    assert "done about" in told


def test_a_standing_says_rate_and_expected_end():
    assert standing(0, 1000, 0.0) == "0 of 1,000 lines"
    assert "1,000 of 1,000 lines, 500 a second" in standing(1001, 1000, 2.0)


def test_a_process_that_reads_for_an_import_runs_no_second_command():
    runpy.run_module(
        "campaigns.cli.__main__", run_name="__mp_main__"
    )  # as multiprocessing loads the main file


def test_an_unknown_topic_is_told_before_anything_is_shown(folder):
    done = typed("contacts", "people.csv", "--topic", "nosuch", "--preview")
    assert isinstance(done.exception, NotFound)
    assert done.stdout == ""


def test_refused_rows_are_listed_in_the_order_of_the_file(folder):
    rows = [f"C{n},{'ada' if n % 3 else 'no address'}{n}@example.com,,,,,,,," for n in range(60)]
    rows += [f"D{n},ada1@example.com,,,nonsense,,,,," for n in range(5)]
    (folder / "people.csv").write_text("\n".join([PEOPLE.splitlines()[0], *rows]) + "\n")
    typed("contacts", "people.csv", *TOPIC, "--yes")
    lines = [int(line) for line, *_ in listed(folder / "people.rejects.csv")]
    assert len(lines) > 20
    assert lines == sorted(lines)


@pytest.mark.parametrize(
    ("head", "name"), [(b"\x89PNG\r\n\x1a\n", "a PNG picture"), (b"PK\x03\x04\x14", "a spreadsheet")]
)
def test_what_is_no_text_is_named_and_no_encoding_advised(folder, head, name):
    (folder / "people.csv").write_bytes(head + bytes(range(256)))
    done = typed("contacts", "people.csv", "--preview")
    assert isinstance(done.exception, BadImport)
    assert name in str(done.exception)
    assert "--encoding" not in str(done.exception)
