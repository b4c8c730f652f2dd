"""`mainzdigital new-module`: writes the skeleton of a city module into a source tree (architecture 4)."""

import keyword
from collections.abc import Iterator
from pathlib import Path
from string import Template

import click

from mainzdigital.config.registry import SLUG
from mainzdigital.kernel.errors import Conflict, InvalidInput

SKELETON = Path(__file__).resolve().parent.parent / "skeleton"
# Names of Django apps, of the platform's own, and of addresses that are taken.
TAKEN = frozenset(
    {
        "admin", "allauth", "auth", "contenttypes", "django", "headless", "health", "humanize", "identity", "konto",
        "mainzdigital", "messages", "metrics", "mfa", "procrastinate", "public", "ready", "schema", "sensorthings",
        "series", "events", "sessions", "socialaccount", "static", "staticfiles", "test", "tests", "usersessions",
        "verwaltung", "web",
    }
)  # fmt: skip
GERMAN = {
    "title": "Titel",
    "created": "erstellt",
    "entry": "Eintrag",
    "entries": "Einträge",
    "Title": "Titel",
    "Created": "Erstellt",
    "Give the entry a title.": "Geben Sie dem Eintrag einen Titel.",
    "Search entries": "Einträge durchsuchen",
    "Find": "Suchen",
    "Add an entry": "Eintrag hinzufügen",
    "Add entry": "Eintrag hinzufügen",
    "There are no entries yet.": "Es gibt noch keine Einträge.",
    "More entries": "Weitere Einträge",
    "Previous page": "Vorige Seite",
    "Next page": "Nächste Seite",
    "Entries on a page": "Einträge auf einer Seite",
    "Error:": "Fehler:",
}
_HEADER = """\
msgid ""
msgstr ""
"Language: de\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=UTF-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"Plural-Forms: nplurals=2; plural=(n != 1);\\n"
"""


@click.command()
@click.argument("name")
@click.option("--title", default="", help="What people call it, in English; default from the name.")
@click.option("--german", default="", help="What people call it, in German; default the title.")
@click.option("--root", type=click.Path(path_type=Path), default=Path(), help="The source tree; default this folder.")
def command(name: str, title: str, german: str, root: Path) -> None:
    """Write a working module NAME (a-z, 0-9, _) with page, menu entry, German texts and tests."""
    for path in write(name=name, title=title, german=german, root=root):
        click.echo(path.as_posix())
    click.echo("It is in the menu at the next start. `make test` runs its tests, `make messages` collects its texts.")


def write(*, name: str, title: str = "", german: str = "", root: Path) -> list[Path]:
    """Write the skeleton below `root` and return its files; raises InvalidInput, Conflict. Nothing is overwritten."""
    if not SLUG.fullmatch(name) or keyword.iskeyword(name):
        raise InvalidInput(
            f"'{name}' cannot be the name of a module",
            where="NAME",
            remedy="3 to 40 of a-z, 0-9 and _, beginning with a letter, not ending with _, no word of Python",
        )
    if name in TAKEN:
        raise Conflict(f"the name '{name}' is taken by the platform", where="NAME", remedy="choose another")
    module, tests = root / "src" / "mainzdigital" / "apps" / name, root / "tests" / "apps" / name
    if not module.parent.is_dir() or not (root / "pyproject.toml").is_file():
        raise InvalidInput(
            f"{root.resolve()} is no source tree of the platform", where="--root", remedy="go to the cloned repository"
        )
    for folder in (module, tests):
        if folder.exists():
            raise Conflict(f"{folder} is already there", where="NAME", remedy="choose another name")
    title = " ".join((title or name.replace("_", " ").capitalize()).split())
    if not title.isprintable() or set(title + german) & set("\"'\\{}%<>$"):
        raise InvalidInput("the title has characters that do not belong there", where="--title", remedy="use words")
    values = {"slug": name, "title": title}
    written = [*_fill(SKELETON / "module", module, values), *_fill(SKELETON / "tests", tests, values)]
    catalogue = module / "locale" / "de" / "LC_MESSAGES" / "django.po"
    catalogue.parent.mkdir(parents=True)
    catalogue.write_text(_catalogue(title, german or title), "utf-8")
    return [*written, catalogue]


def _fill(source: Path, target: Path, values: dict[str, str]) -> Iterator[Path]:
    for path in sorted(source.rglob("*.tmpl")):
        relative = path.relative_to(source).as_posix().removesuffix(".tmpl").replace("SLUG", values["slug"])
        file = target / relative
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(Template(path.read_text("utf-8")).substitute(values), "utf-8")
        yield file


def _catalogue(title: str, german: str) -> str:
    texts = GERMAN | {
        title: german,
        f"Entries of {title}, listed and searched.": f"Einträge von {german}, aufgelistet und durchsuchbar.",
        f"Edit {title}": f"{german} bearbeiten",
    }
    return _HEADER + "".join(f'\nmsgid "{english}"\nmsgstr "{text}"\n' for english, text in texts.items())
