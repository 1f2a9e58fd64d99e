"""A script is straight-line: it names its keys and arguments first, and its includes say what they need and give."""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

import pytest

from seamless_wallet.engine.script_header import parse_header
from seamless_wallet.engine.scripts import lua_directory, read_scripts

LUA = lua_directory()
SCRIPTS = sorted(path.stem for path in LUA.glob("*.lua"))
INCLUDES = sorted(path.stem for path in (LUA / "include").glob("*.lua"))

KEYWORDS = {
    *("and", "break", "do", "else", "elseif", "end", "false", "for", "function", "if", "in"),
    *("local", "nil", "not", "or", "repeat", "return", "then", "true", "until", "while"),
}
GIVEN_BY_REDIS = {"ARGV", "KEYS", "error", "ipairs", "math", "redis", "string", "table", "tonumber", "unpack"}

_STRING = re.compile(r"'[^'\n]*'")
_COMMENT = re.compile(r"--[^\n]*")
_WORD = re.compile(r"[A-Za-z_]\w*")
_INCLUDE = re.compile(r"^ *-- @include (\w+)$", re.MULTILINE)
_DECLARED = (
    re.compile(r"^ *local ((?!function)\w+(?:, *\w+)*)", re.MULTILINE),
    re.compile(r"^ *local function (\w+)", re.MULTILINE),
    re.compile(r"function \w*\(([^)]*)\)"),
    re.compile(r"\bfor (\w+(?:, \w+)*) (?:=|in)"),
)


class Part(NamedTuple):
    """A file of lua/: the names that it declares, those of them that it does so outside of any block, those it uses."""

    declared: set[str]
    outermost: set[str]
    used: set[str]
    includes: list[str]
    text: str


@cache
def part(name: str) -> Part:
    """Read `<name>.lua`. Simple reading will do: luacheck has seen that it is Lua."""
    text = (LUA / f"{name}.lua").read_text("utf-8")
    # A declaration that goes on, indented, on the next line.
    joined = re.sub(r",\n  (?=\w[\w, ]*=)", ", ", text)
    code = _COMMENT.sub("", _STRING.sub("''", joined))
    declared = {word for pattern in _DECLARED for names in pattern.findall(code) for word in _WORD.findall(names)}
    outermost = {
        word
        for line in code.split("\n")
        if line.startswith("local")
        for pattern in _DECLARED[:2]
        for names in pattern.findall(line)
        for word in _WORD.findall(names)
    }
    plain = re.sub(r"(?<!\.)[.:][A-Za-z_]\w*", "", code)  # `a.b`, but not `..b`
    return Part(declared, outermost, set(_WORD.findall(plain)) - KEYWORDS, _INCLUDE.findall(text), text)


def words_of(include: str, section: str) -> set[str]:
    """NEEDS or GIVES of an include's header."""
    _, sections = parse_header(include, part(f"include/{include}").text)
    return set(sections.get(section, "").split())


def given_to(name: str) -> set[str]:
    """All that the includes of a file give."""
    return {word for include in part(name).includes for word in words_of(include, "GIVES")}


def free(name: str) -> set[str]:
    """The names that a file uses and declares nowhere."""
    return part(name).used - part(name).declared - GIVEN_BY_REDIS


@pytest.mark.parametrize("include", INCLUDES)
def test_an_include_needs_what_it_says_and_no_more(include):
    """NEEDS has every name that it uses and does not declare, but for those that its own includes give."""
    inner = {word for each in part(f"include/{include}").includes for word in words_of(each, "NEEDS")}
    expected = (free(f"include/{include}") | inner) - given_to(f"include/{include}")
    assert words_of(include, "NEEDS") == expected


@pytest.mark.parametrize("include", INCLUDES)
def test_an_include_declares_what_it_gives(include):
    """GIVES has names that it, or an include of its own, declares outside of any block."""
    name = f"include/{include}"
    assert words_of(include, "GIVES") <= part(name).outermost | given_to(name)


@pytest.mark.parametrize("include", INCLUDES)
def test_what_an_include_gives_is_used(include):
    """By some file that includes it, or by what that file includes later."""
    used = set()
    for name in [*SCRIPTS, *(f"include/{each}" for each in INCLUDES)]:
        if include in part(name).includes:
            used |= free(name) | given_to(name)
            used |= {word for each in part(name).includes for word in words_of(each, "NEEDS")}
    assert words_of(include, "GIVES") <= used
    assert used or not words_of(include, "GIVES")


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_uses_only_what_it_was_given(name):
    """Every name is the script's own, or in GIVES of an include: never a local that an include keeps to itself."""
    assert free(name) <= given_to(name)


@pytest.mark.parametrize("name", SCRIPTS)
def test_an_include_finds_what_it_needs(name):
    """Each is given it by the script, or by an include before it."""
    known = set(part(name).declared)
    for include in part(name).includes:
        assert words_of(include, "NEEDS") <= known, include
        known |= words_of(include, "GIVES")


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_names_its_keys_and_arguments_first(name):
    """The first lines after the header, in its words and order: `head` of KEYS is `head_key`.

    One that is called for several items names arguments first, and keys and items where it comes to each.
    """
    script = read_scripts(LUA)[name]
    lines = [line for line in part(name).text.split("\n") if not line.startswith("--")]
    first = re.sub(r"\s+", " ", " ".join(lines[:4]))
    keys = ", ".join(f"{key}_key" for key in script.contract.keys)
    count = len(script.contract.argv)
    arguments = ", ".join(script.contract.argv)
    if not script.contract.for_each:
        assert first.startswith(f"local {keys} = unpack(KEYS) local {arguments} = unpack(ARGV, 1, {count})")
        return
    items, each = ", ".join(script.contract.items), len(script.contract.items)
    assert first.startswith(f"local {arguments} = unpack(ARGV, 1, {count})")
    assert f"  local {keys} = KEYS[2 * item - 1], KEYS[2 * item]" in lines
    assert f"  local {items} = unpack(ARGV, {each} * item + {count - each + 1}, {each} * item + {count})" in lines


_REPLY = re.compile(r"(?:return|local reply =|replies\[item\] =) \{'([A-Z]+)'")
_VERDICTS = {"DONE", "DUP", "CONFLICT", "DECLINED", "BUSY"}


def own_replies(name: str) -> set[str]:
    """The first words of what a file itself can answer; `status` for the replies of eight parts."""
    return {"status" if word in _VERDICTS else word for word in _REPLY.findall(part(name).text)}


def replies(name: str) -> set[str]:
    """The same with its includes."""
    return own_replies(name).union(*(replies(f"include/{include}") for include in part(name).includes))


@pytest.mark.parametrize("name", [*SCRIPTS, *(f"include/{include}" for include in INCLUDES)])
def test_a_header_names_every_reply_and_no_other(name):
    """RETURNS of a script, and of an include, is what its text can answer, includes and all."""
    _, sections = parse_header(name.removeprefix("include/"), part(name).text)
    named = {shape.split()[0] for shape in sections.get("RETURNS", "").split("|") if shape.strip()}
    assert named == replies(name)
