"""Texts for people: collects them into each package's .po files, checks that German is complete, compiles .mo.

    python -m tools.messages update     write new texts into every package's locale/*/LC_MESSAGES/django.po
    python -m tools.messages check      fail on texts without translation, fuzzy or left-over ones
    python -m tools.messages compile    make the .mo files that Django reads

A package is a folder with `locale/`. Texts come from gettext calls in Python, from templates, and from what a module
declares (module.py imports only the kernel, so its titles are plain strings there).
"""

import argparse
import importlib
import io
import sys
from collections.abc import Iterator
from pathlib import Path

import django
from babel.messages import Catalog
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

SOURCE = Path(__file__).resolve().parent.parent / "src"
DOMAIN = "django.po"
KEYWORDS: dict[str, tuple[int | tuple[int, str], ...] | None] = {
    "_": None, "gettext": None, "gettext_lazy": None, "gettext_noop": None, "N_": None,
    "ngettext": (1, 2), "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2), "pgettext_lazy": ((1, "c"), 2), "npgettext": ((1, "c"), 2, 3),
}  # fmt: skip
HEADER = """\
msgid ""
msgstr ""
"Language: {language}\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=UTF-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"Plural-Forms: {plural}\\n"

"""
MessageId = str | tuple[str, ...] | list[str]


def packages(source: Path = SOURCE) -> list[Path]:
    return sorted(path.parent for path in source.rglob("locale") if path.is_dir())


def languages(package: Path) -> list[str]:
    return sorted(path.parent.parent.name for path in package.glob(f"locale/*/LC_MESSAGES/{DOMAIN}"))


def collect(package: Path, source: Path = SOURCE) -> Catalog:
    """All texts of one package (without packages inside it that have their own), with the files they stand in."""
    catalog = Catalog(project="mainzDIGITAL", charset="utf-8")
    inner = [other for other in packages(source) if other != package and package in other.parents]
    for path in sorted(package.rglob("*")):
        if path.suffix not in {".py", ".html", ".txt"} or any(other in path.parents for other in inner):
            continue
        if path.suffix != ".py" and "templates" not in path.parts:
            continue
        place = path.relative_to(source).as_posix()
        for line, found, comments, context in _texts(path):
            catalog.add(found, locations=[(place, line)], auto_comments=comments, context=context)
    if (package / "module.py").is_file():
        for text in declared(package, source):
            catalog.add(text, locations=[((package / "module.py").relative_to(source).as_posix(), 1)])
    return catalog


def _texts(path: Path) -> Iterator[tuple[int, MessageId, list[str], str | None]]:
    text = path.read_text("utf-8")
    if path.suffix != ".py":
        from django.utils.translation.template import templatize

        # What templatize leaves of a template keeps its indentation, which Python's tokenizer would take for its own.
        text = "\n".join(line.lstrip() for line in templatize(text, origin=str(path)).splitlines())
    stream = io.BytesIO(text.encode("utf-8"))
    for line, found, comments, context in extract("python", stream, KEYWORDS, ("Translators:",)):
        yield line, found, list(comments), context


def declared(package: Path, source: Path = SOURCE) -> list[str]:
    """The texts of a module's declaration."""
    name = ".".join((package / "module").relative_to(source).parts)
    module = importlib.import_module(name).MODULE
    texts = [module.title, module.summary, module.field_of_action]
    texts += [entry.title for entry in (*module.navigation, *module.permissions, *module.settings)]
    texts += [text for entry in module.personal_data for text in (entry.purpose, entry.legal_basis)]
    return [text for text in dict.fromkeys(texts) if text]


def read(path: Path, language: str) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, locale=language, domain="django")


def update(package: Path, source: Path = SOURCE) -> None:
    found = collect(package, source)
    for language in languages(package):
        path = package / "locale" / language / "LC_MESSAGES" / DOMAIN
        catalog = read(path, language)
        catalog.update(found, no_fuzzy_matching=True)
        catalog.obsolete.clear()
        catalog.fuzzy = False
        out = io.BytesIO()
        write_po(out, catalog, width=120, omit_header=True, include_lineno=False)
        # A header without dates and names: two people who add a text do not collide in it.
        path.write_text(HEADER.format(language=language, plural=catalog.plural_forms) + out.getvalue().decode("utf-8"))


def problems(package: Path, source: Path = SOURCE) -> list[str]:
    """What is wrong with the translations of a package, a line each."""
    found, lines = collect(package, source), []
    for language in languages(package):
        path = package / "locale" / language / "LC_MESSAGES" / DOMAIN
        place = path.relative_to(source).as_posix()
        catalog = read(path, language)
        keys = {_key(message.id, message.context) for message in catalog if message.id}
        wanted = {_key(message.id, message.context) for message in found if message.id}
        lines += [f"{place}: missing: {text!r}" for text, _ in sorted(wanted - keys)]
        lines += [f"{place}: no longer used: {text!r}" for text, _ in sorted(keys - wanted)]
        for message in catalog:
            if message.id:
                lines += [f"{place}: {fault}: {_key(message.id)[0]!r}" for fault in _faults(message, catalog)]
    return lines


def _key(found: MessageId, context: str | None = None) -> tuple[str, str]:
    return (found if isinstance(found, str) else found[0], context or "")


def _faults(message: object, catalog: Catalog) -> list[str]:
    from babel.messages.catalog import Message, TranslationError

    assert isinstance(message, Message)
    strings = (message.string,) if isinstance(message.string, str) else tuple(message.string or ("",))
    faults = []
    if not all(strings) or (message.pluralizable and len(strings) != catalog.num_plurals):
        faults.append("not translated")
    if message.fuzzy:
        faults.append("fuzzy")
    try:
        faults += [str(error) for error in message.check(catalog)] if all(strings) else []
    except TranslationError as error:
        faults.append(str(error))
    return faults


def conflicts(source: Path = SOURCE) -> list[str]:
    """Texts that two packages, or one and Django itself, translate differently.

    Django knows one translation of a text, the first it meets: who translates `May` as permission changes its months.
    """
    known: dict[tuple[str, str, str], tuple[str, str]] = {}
    lines: list[str] = []
    for language in sorted({language for package in packages(source) for language in languages(package)}):
        for message in read(
            Path(django.__file__).parent / "conf" / "locale" / language / "LC_MESSAGES" / DOMAIN, language
        ):
            known[(language, *_key(message.id, message.context))] = ("Django", str(message.string))
    for package in packages(source):
        for language in languages(package):
            for message in read(package / "locale" / language / "LC_MESSAGES" / DOMAIN, language):
                key = (language, *_key(message.id, message.context))
                place, translation = package.name, str(message.string)
                if message.id and known.setdefault(key, (place, translation))[1] != translation:
                    lines.append(f"{place} and {known[key][0]} translate {key[1]!r} differently")
    return lines


def compile_all(source: Path = SOURCE) -> int:
    """Write the .mo beside every .po that is newer; returns how many."""
    count = 0
    for package in packages(source):
        for language in languages(package):
            path = package / "locale" / language / "LC_MESSAGES" / DOMAIN
            target = path.with_suffix(".mo")
            if target.exists() and target.stat().st_mtime >= path.stat().st_mtime:
                continue
            with target.open("wb") as file:
                write_mo(file, read(path, language))
            count += 1
    return count


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.messages", description=__doc__.split("\n")[0])
    parser.add_argument("command", choices=["update", "check", "compile"])
    command = parser.parse_args(arguments).command
    if command == "compile":
        sys.stdout.write(f"{compile_all()} catalogues compiled\n")
        return 0
    if command == "update":
        for package in packages():
            update(package)
        return 0
    lines = [line for package in packages() for line in problems(package)] + conflicts()
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
