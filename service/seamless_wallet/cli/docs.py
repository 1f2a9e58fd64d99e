"""`wallet docs`: the documentation, for whoever has the program and no checkout."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from seamless_wallet.errors import WalletError
from seamless_wallet.exit_status import EXIT_USAGE

PAGE: Final = ".md"
TITLES: Final = {
    "back-office-hook.sh": "A hook for `wallet conformance` and `wallet simulate`: an example",
    "openapi.json": "The admin API, as OpenAPI",
}
"""What other files are. A page has its title in its first line."""


class PageMissing(WalletError):
    """There is no page of that name. One line with those that there are."""

    exit_status = EXIT_USAGE


def docs(
    name: Annotated[
        str, typer.Argument(help="Page to print, such as semantics. Default: list all pages.", show_default=False)
    ] = "",
) -> None:
    """Print a page of the documentation. Without a name, list the pages."""
    if name:
        typer.echo(text_of(name), nl=False)
        return
    found = pages()
    width = max(map(len, found), default=0)
    for each, path in found.items():
        typer.echo(f"{each:{width}}  {_title(path)}")


def pages() -> dict[str, Path]:
    """Every page by its name, which is that of its file without `.md`."""
    directory = docs_directory()
    return {path.name.removesuffix(PAGE): path for path in sorted(directory.glob("*.*"))}


def docs_directory() -> Path:
    """Where the pages are: in the wheel in this package, in a checkout at the root of the repository."""
    package = Path(__file__).parents[1]
    shipped = package / "docs"
    return shipped if shipped.is_dir() else package.parents[1] / "docs"


def text_of(name: str) -> str:
    """The text of a page. Raises PageMissing."""
    found = pages()
    path = found.get(name.removesuffix(PAGE))
    if path is None:
        known = ", ".join(found) or f"none, because {docs_directory()} is missing"
        raise PageMissing(f"there is no page {name!r}; choose one of: {known}")
    return path.read_text("utf-8")


def _title(path: Path) -> str:
    if path.suffix != PAGE:
        return TITLES.get(path.name, "")
    return path.read_text("utf-8").partition("\n")[0].removeprefix("# ")
