"""What the documents say is so: commands, links, tests, reasons, log events and metrics are those of the code."""

from __future__ import annotations

import ast
import pkgutil
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from seamless_wallet.cli import app
from seamless_wallet.observability.metrics_reference import reference
from seamless_wallet.providers import Reason

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(path for folder in (".", "docs", "deploy", "tests/samples/*") for path in ROOT.glob(f"{folder}/*.md"))
PYTHON = sorted((ROOT / "service").rglob("*.py"))
LUA = [*sorted((ROOT / "lua").glob("*.lua")), *sorted((ROOT / "lua" / "include").glob("*.lua"))]

SOURCES = ("service", "lua", "tests", "benchmarks", "deploy", "docs")

_LOG_LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}

page = pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)


def section(name: str, heading: str) -> str:
    """The text below one heading of a page, up to the next of its level or above."""
    text = (ROOT / "docs" / name).read_text()
    level = len(heading) - len(heading.lstrip("#"))
    _, found, rest = text.partition(f"\n{heading}\n")
    assert found, f"docs/{name} has no {heading!r}"
    return re.split(rf"^#{{1,{level}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def first_column(table: str) -> list[str]:
    """The code in the first column of every row of the tables in a text."""
    return re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)


# ---------------------------------------------------------------------- commands


def shell_lines() -> Iterator[tuple[str, str]]:
    """Every line of the pages' shell blocks, continued lines joined, with the page that has it."""
    for path in PAGES:
        for block in re.findall(r"^\s*```sh\n(.*?)^\s*```", path.read_text(), re.MULTILINE | re.DOTALL):
            for line in block.replace("\\\n", " ").splitlines():
                yield path.name, line.partition(" #")[0].strip()


def inline_commands() -> Iterator[tuple[str, str]]:
    """Every `wallet …` and `make …` within a sentence."""
    for path in PAGES:
        for words in re.findall(r"`((?:wallet|make) [a-z][^`]*)`", path.read_text()):
            yield path.name, words


def test_every_wallet_command_that_is_named_exists():
    """Each `wallet …` of a page is a command of the program, with the options that it has."""
    group = typer.main.get_command(app)
    seen = 0
    for where, line in [*shell_lines(), *inline_commands()]:
        match = re.search(r"(?:^|[ /])wallet ((?:[a-z]|--)[^|;&]*)", line)
        if not match or "curl" in line:
            continue
        words = match[1].split()
        command = group
        while words and hasattr(command, "commands") and not words[0].startswith("-"):
            assert words[0] in command.commands, f"{where}: wallet {match[1]}"
            command = command.commands[words.pop(0)]
        options = {name for param in command.params for name in (*param.opts, *param.secondary_opts)} | {"--help", "-h"}
        for word in words:
            if word.startswith("-"):
                assert word.partition("=")[0] in options, f"{where}: wallet {match[1]}: {word}"
        seen += 1
    assert seen > 10


def test_every_make_target_that_is_named_exists():
    """Each `make …` of a page is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        (where, word)
        for where, line in [*shell_lines(), *inline_commands()]
        if line.startswith("make ")
        for word in shlex.split(line)[1:]
        if re.fullmatch("[a-z-]+", word)
    }
    assert named
    assert not {(where, word) for where, word in named if word not in targets}


@page
def test_every_module_that_is_run_exists(path):
    """Each `python -m x.y` of a page is a module of this repository."""
    for module in re.findall(r"python -m ([a-z_.]+)", path.read_text()):
        place = ROOT / ("service" if module.startswith("seamless_wallet") else "") / module.replace(".", "/")
        assert place.with_suffix(".py").exists() or (place / "__main__.py").exists(), module


# ---------------------------------------------------------------------- links and names


def anchors(path: Path) -> set[str]:
    """The fragments that a page's headings make, as the usual hosts spell them."""
    found = set()
    for heading in re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE):
        plain = re.sub(r"[`*]", "", heading).lower()
        found.add(re.sub(r"[^\w\- ]", "", plain).replace(" ", "-"))
    return found


@page
def test_every_link_leads_somewhere(path):
    """Links within the repository name a file that is there and a heading that it has."""
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, fragment = target.partition("#")
        file = (path.parent / name).resolve() if name else path
        assert file.exists(), target
        if fragment:
            assert fragment in anchors(file), target


def made_by(path: Path) -> set[str]:
    """The files that a page has its reader write: the titles of its blocks."""
    return set(re.findall(r"^```\w+ title=(\S+)$", path.read_text(), re.MULTILINE))


@page
def test_every_path_that_is_named_exists(path):
    """A path of this repository in code type is there."""
    for name in re.findall(
        r"`((?:seamless_wallet|service|lua|tests|benchmarks|deploy|docs|\.ci)/[\w./-]*)(?:::\w+)?`", path.read_text()
    ):
        assert (ROOT / name).exists() or (ROOT / "service" / name).exists() or name in made_by(path), name


@page
def test_every_source_file_that_is_named_exists(path):
    """A file name in code type is the end of some path of this repository, also without its folder."""
    paths = [f"/{file.relative_to(ROOT)}" for part in SOURCES for file in (ROOT / part).rglob("*.*")]
    for name in re.findall(r"`([\w/]+\.(?:py|lua|sql|sh|conf|service))`", path.read_text()):
        assert any(known.endswith(f"/{name}") for known in paths) or name in made_by(path), name


@page
def test_every_dotted_name_exists(path):
    """`seamless_wallet.x.y` in code type is a module, or something in a module."""
    for name in re.findall(r"`(seamless_wallet(?:\.\w+)+)`", path.read_text()):
        pkgutil.resolve_name(name)


NAMES_OF_OTHERS = {"cjson", "cp", "helpers", "limit_conn", "register_script", "TIME", "upstream", "utils"}
"""What belongs to other programs, or what this one does without."""

NAME_PARTS = {"_duration_seconds", "_entries", "wallet_"}


@pytest.fixture(scope="module")
def words_of_the_code() -> set[str]:
    """Every word of the sources, but for this file."""
    files = [file for part in ("service", "lua", "tests", "benchmarks", "deploy") for file in (ROOT / part).rglob("*")]
    texts = [file.read_text() for file in files if file.suffix in {".py", ".lua", ".sql", ".service", ".conf", ".yml"}]
    texts += [(ROOT / name).read_text() for name in ("pyproject.toml", "Makefile")]
    return set(re.findall(r"\w+", "\n".join(texts).replace(Path(__file__).read_text(), "")))


@page
def test_every_name_in_code_type_occurs_in_the_code(path, words_of_the_code):
    """A class, function, field or reason that was renamed is renamed on the pages. Settings have their own test."""
    text = path.read_text()
    named = {name for name in re.findall(r"`([A-Za-z_]\w*)(?:\(\))?`", text) if not name.startswith("WALLET_")}
    own = set(re.findall(r"\w+", "".join(re.findall(r"^```.*?^```$", text, re.MULTILINE | re.DOTALL))))
    documented_settings = {f"{name}_file" for name in ("api_key", "previous_api_key")}
    assert named - words_of_the_code - own - NAMES_OF_OTHERS - NAME_PARTS - documented_settings == set()


@page
def test_every_name_stands_in_the_file_that_is_named_with_it(path):
    """What a page calls `name` in (or of) `some/file.py` is there."""
    for name, file in re.findall(r"`(\w+)`,? (?:in|of) `([\w/]+\.\w+)`", path.read_text()):
        found = [place for place in (ROOT / file, ROOT / "service" / file) if place.exists()]
        assert found, file
        assert re.search(rf"\b{name}\b", found[0].read_text()), f"{file}: {name}"


@page
def test_no_line_is_too_long(path):
    """A line fits an editor; a row of a table is one line, however long, and a generated page is as it is made."""
    if path.name == "settings.md":
        return
    fenced = False
    for number, line in enumerate(path.read_text().splitlines(), 1):
        fenced ^= line.lstrip().startswith("```")
        assert fenced or len(line) <= 130 or line.lstrip().startswith("|"), f"{path.name}:{number}: {len(line)}"


def test_the_pages_that_a_newcomer_reads_are_checked():
    """Whatever is true of all pages is true of these: they are among them."""
    checked = {str(path.relative_to(ROOT)) for path in PAGES}
    named = {"README.md", "CONTRIBUTING.md", "SECURITY.md", "docs/tutorial.md", "docs/glossary.md", "deploy/README.md"}
    assert named <= checked


def test_the_words_of_the_glossary_stand_in_the_code():
    """Each word occurs in the file that its row names, and each is explained once."""
    rows = re.findall(
        r"^\| \*\*([^*]+)\*\* \| (.+) \| `([^`]+)` \|$", (ROOT / "docs" / "glossary.md").read_text(), re.MULTILINE
    )
    assert len(rows) > 20
    assert len({word for word, _, _ in rows}) == len(rows)
    for word, meaning, name in rows:
        file = ROOT / name if (ROOT / name).exists() else ROOT / "service" / name
        assert re.search(rf"(?<![a-z]){word.replace(' ', '[ _]')}", file.read_text(), re.IGNORECASE), f"{name}: {word}"
        assert meaning.endswith((".", '"')), word


def test_the_design_shows_the_layers_that_are_enforced():
    """Same rooms in the same order as the contract of import-linter; README says of each what happens there."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = (contract["layers"] for contract in contracts if contract["id"] == "layers")
    enforced = [layer.replace(" | ", " · ") for layer in layers]
    shown = section("design.md", "## Rooms and layers").partition("```text\n")[2].partition("\n```")[0]
    assert shown.splitlines() == enforced
    front = (ROOT / "README.md").read_text()
    for room in (room for layer in layers for room in layer.split(" | ")):
        if room not in {"ports", "errors"}:
            assert re.search(rf"^\| .*`seamless_wallet/{room}\b", front, re.MULTILINE), room


def test_every_folder_of_tests_is_explained():
    """The table of docs/testing.md has a row for each, and no other."""
    table = (ROOT / "docs" / "testing.md").read_text().partition("\n\n## ")[0]
    folders = {f"tests/{path.parent.name}/" for path in (ROOT / "tests").glob("*/test_*.py")}
    assert set(first_column(table)) == folders


# ---------------------------------------------------------------------- guarantees


def test_every_guarantee_names_the_test_that_shows_it():
    """Each row of README's table of faults ends with tests that exist."""
    text = (ROOT / "README.md").read_text()
    table = text.partition("| fault |")[2].partition("\n\n")[0]
    rows = [row for row in table.splitlines()[2:] if row.startswith("|")]
    assert rows
    for row in rows:
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row)
        assert named, row
        for file, function in named:
            tree = ast.parse((ROOT / file).read_text())
            functions = {
                node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            }
            assert function in functions, f"{file}::{function}"


# ---------------------------------------------------------------------- reasons


# The forms in which a script says its code and reason, by pattern: a decline, an answer of its own, R0.
_DECLINE = re.compile(r"\bcode, reason(?:, is_final)? = '(R\d)', '(\w+)'(?:, true)?$")
_ANSWER = re.compile(r"return \{'[A-Z]+', (?:'(R\d)'|seen_code), '(\w+)', wallet_currency, ")
_DONE = re.compile(
    r"\breason(?:, balance_delta)? = (?:nil, )?(?:#written > 0 and )?'(\w+)'(?: or '(\w+)')?(?:, -?cash)?$"
)
_LATER = re.compile(r"\blater = (?:later or )?'(\w+)'$")
_NO_REASON = re.compile(
    r"return \{'DECLINED', code, reason, |local reply = \{'DONE', 'R0', reason, |local code, reason --|"
    r"local later = nil |code, reason = 'R1', later$"
)


def lua_reasons() -> set[tuple[str, str]]:
    """(code, reason) of everything that a script can answer."""
    found = set()
    for line in (line for path in LUA for line in path.read_text().splitlines()):
        found |= {(code, reason) for code, reason in _DECLINE.findall(line)}
        found |= {("R1", reason) for reason in _LATER.findall(line)}
        found |= {("R0", reason) for reasons in _DONE.findall(line) for reason in reasons if reason}
        for code, reason in _ANSWER.findall(line):  # a duplicate has the code that was stored: R0, or a final decline
            found |= {(each, reason) for each in ([code] if code else ["R0", "R3", "R4"])}
    return found


def python_reasons() -> set[tuple[str, str]]:
    """(code, reason) of every Answer that Python makes: `Answer(Code.R1, "x")`, or the pair `Code.R1, "x"`."""
    found = {("R3", reason.value) for reason in Reason}
    for path in PYTHON:
        if "simulator" in path.parts:  # pairs a code with a row of the case table
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            parts = node.args if isinstance(node, ast.Call) else node.elts if isinstance(node, ast.Tuple) else []
            if len(parts) < 2:
                continue
            code, reason = parts[:2]
            if (
                isinstance(code, ast.Attribute)
                and isinstance(code.value, ast.Name)
                and code.value.id == "Code"
                and isinstance(reason, ast.Constant)
                and isinstance(reason.value, str)
            ):
                found.add((code.attr, reason.value))
    return found


def test_the_scan_sees_every_reason_of_the_scripts():
    """No script says its code or reason in a form that the scan does not know."""
    forms = (_DECLINE, _ANSWER, _DONE, _LATER, _NO_REASON)
    for path in LUA:
        for line in path.read_text().splitlines():
            if re.search(r"\b(?:reason|later)\b[\w, ]* = |\{'[A-Z]+', .*wallet_currency", line):
                assert any(form.search(line) for form in forms), f"{path.name}: {line.strip()}"


def test_the_page_of_codes_has_just_the_reasons_of_the_code():
    """Same reasons with the same codes, each once a table; `currency` is decided at two places."""
    text = (ROOT / "docs" / "codes.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| ([R\d, ]+) \|", text, re.MULTILINE)
    documented = {(code, reason) for reason, codes in rows for code in codes.split(", ")}
    assert documented == lua_reasons() | python_reasons()
    assert len(rows) == len({reason for reason, _ in rows})


def test_every_row_that_is_cited_exists():
    """Code, scripts, tests and pages cite rows of the case table that it has."""
    rows = {int(row) for row in re.findall(r"^\| (\d+) \|", (ROOT / "docs" / "semantics.md").read_text(), re.MULTILINE)}
    for path in [*PYTHON, *LUA, *PAGES]:
        for cited in re.findall(r"SEMANTICS rows? ([\d, –and]+|\d+ to \d+)", path.read_text()):
            assert {int(number) for number in re.findall(r"\d+", cited)} <= rows, f"{path.name}: {cited}"


# ---------------------------------------------------------------------- logs and metrics


def log_events() -> set[str]:
    """The first argument of every call of a logger, and each `log_event=` of a table of events."""
    found = set()
    for path in PYTHON:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                found |= {str(ast.literal_eval(word.value)) for word in node.keywords if word.arg == "log_event"}
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in _LOG_LEVELS
                and isinstance(node.func.value, ast.Name | ast.Attribute)
                and re.search("log|audit|line|rate_limited_log", ast.unparse(node.func.value))
                and node.args
            ):
                event = node.args[0]
                if isinstance(event, ast.Constant):
                    found.add(str(event.value))
                else:  # passes on an event that was named elsewhere
                    assert isinstance(event, ast.Name), f"{path}: {ast.unparse(node)}"
    return found


def test_operations_explains_just_the_log_events_of_the_code():
    """Each event that is logged has a row, and each row an event."""
    documented = first_column(section("operations.md", "## Log events"))
    assert set(documented) == log_events()
    assert len(documented) == len(set(documented))


def test_the_changelog_renames_log_events_to_what_they_are_called():
    """No old name is in use, and each new one is."""
    table = (ROOT / "CHANGELOG.md").read_text().partition("- Log events have other names.")[2].partition("\n\n  The")[0]
    renamed = dict(re.findall(r"^ +\| ([\w.]+) \| `(\w+)` \|$", table, re.MULTILINE))
    assert len(renamed) > 10
    assert set(renamed.values()) <= log_events()
    assert not renamed.keys() & log_events()


def test_the_page_of_metrics_is_the_one_that_the_code_makes():
    """Run `python -m seamless_wallet.observability.metrics_reference > docs/metrics.md` after a change of a metric."""
    assert (ROOT / "docs" / "metrics.md").read_text() == reference()


def test_operations_names_just_the_metrics_and_settings_that_exist():
    """What the pages call `wallet_…` is a metric, and `WALLET_…` a setting."""
    metrics = set(first_column((ROOT / "docs" / "metrics.md").read_text()))
    settings = set(re.findall(r"`(WALLET_\w+)`", (ROOT / "docs" / "settings.md").read_text()))
    for path in PAGES:
        text = path.read_text()
        assert set(re.findall(r"`(wallet_\w+)", text)) <= metrics, path.name
        if path.name != "settings.md":
            assert set(re.findall(r"\bWALLET_[A-Z_]+[A-Z]", text)) <= settings, path.name
