"""No core module, door or wire format reaches for the machine's clock, randomness, threads or connections: ports do.

What a module may import is listed, so that a new way around the ports is found without anybody having thought of it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "service" / "seamless_wallet"
ROOMS = (
    "actions",
    "backoffice",
    "calls",
    "ciphers.py",
    "commands.py",
    "engine",
    "errors.py",
    "http_server",
    "ledger",
    "money.py",
    "ports.py",
    "provider_choices.py",
    "providers",
    "recovery.py",
    "stores",
    "wallet",
    "webhook",
    "writer",
)


def words(text: str) -> set[str]:
    """The words of a text."""
    return set(text.split())


VALUES = words("""
    __future__ base64 binascii collections contextlib cryptography dataclasses decimal enum errno functools hashlib
    hiredis hmac http.HTTPStatus importlib.resources ipaddress itertools json logging math msgspec operator orjson
    pathlib re seamless_wallet structlog traceback types typing unicodedata urllib.parse
""")
"""What has no time, chance or connection in it; a name stands for all that is below it."""

LOOP = words("""
    asyncio.BaseTransport asyncio.CancelledError asyncio.Event asyncio.FIRST_COMPLETED asyncio.Future asyncio.Lock
    asyncio.Task asyncio.TaskGroup asyncio.TimerHandle asyncio.Transport asyncio.create_task asyncio.current_task
    asyncio.gather asyncio.get_running_loop asyncio.shield asyncio.sleep asyncio.timeout asyncio.timeout_at asyncio.wait
""")
"""What runs on any event loop, also on one of virtual time."""

HTTP = {"aiohttp.hdrs", "aiohttp.typedefs", "aiohttp.web"}
FILES = words("""
    os.O_CLOEXEC os.O_CREAT os.O_NOFOLLOW os.O_RDONLY os.O_RDWR os.close os.fsync os.ftruncate os.open os.pread
    os.pwrite
""")

ROOM_ALLOWS = {
    "backoffice": HTTP,
    "engine": {"redis.exceptions"},
    "http_server": HTTP | {"aiohttp.http_exceptions", "socket", "ssl.SSLContext"},
    "recovery.py": {"redis.exceptions"},
    "wallet": {"redis.exceptions"},
    "webhook": HTTP,
    "writer": {"redis.exceptions"},
}
"""What a whole room may use beside that."""

MODULE_ALLOWS = {
    "backoffice/call_requests.py": {"datetime"},  # reads moments
    "backoffice/call_responses.py": {"csv", "io.StringIO"},
    "backoffice/queries.py": {"datetime"},  # reads moments that are given to it
    "backoffice/responses.py": {"datetime"},  # writes moments that are given to it
    "backoffice/calls_served.py": {"asyncio.to_thread"},  # puts megabytes together
    "calls/disk_room.py": {"shutil.disk_usage"},  # the implementation of the port
    "calls/recorder.py": {"asyncio.TimerHandle", "queue.SimpleQueue", "threading.Thread"},
    "calls/spool.py": {*FILES, "os.O_EXCL", "os.O_WRONLY", "os.scandir", "os.write"},
    # the implementation of the port
    "engine/connection.py": {"asyncio.Protocol", "redis._parsers.base.BaseParser", "redis.asyncio", "redis.backoff"},
    "engine/expand_scripts.py": {"sys"},  # a program
    "http_server/aiohttp_internals.py": {  # the header Date
        "aiohttp.HttpVersion11",
        "email.utils.formatdate",
        "time.time",
    },
    "http_server/tls_acceptor.py": {"<loop>.connect_accepted_socket", "asyncio.Protocol"},
    "stores/archive_file.py": {"datetime", "zstandard"},  # the bounds of a month; the form of the file
    "stores/ledger_copy.py": {"datetime", "sqlite3"},  # from one database to the other
    "stores/postgres/archiving.py": {"datetime"},
    "stores/postgres/commit.py": {"datetime.date", "datetime.datetime"},  # of the server's clock
    "stores/postgres/connections.py": {"asyncio.Semaphore", "asyncio.ensure_future"},
    "stores/postgres/primary.py": {"socket"},  # options of a connection
    "stores/postgres/setup.py": {  # for who is in no event loop; a new ledger's name
        "asyncio.run",
        "concurrent.futures.ThreadPoolExecutor",
        "uuid",
    },
    "stores/postgres/store.py": {"datetime.timedelta"},
    "stores/postgres_calls/collection.py": {"asyncio.to_thread"},  # reads files
    "stores/sql_files.py": {"sqlite3.complete_statement"},
    "stores/sqlite/database.py": {*FILES, "os.O_EXCL", "os.path.lexists", "threading.Lock"},
    "stores/sqlite/checkpoint_file.py": {*FILES, "os.fdopen"},
    "stores/sqlite/lease.py": {*FILES, "fcntl", "os.getpid"},
    "stores/sqlite/new_file.py": {
        *FILES,
        "fcntl",
        "os.O_DIRECTORY",
        "os.O_EXCL",
        "os.fdatasync",
        "os.fstat",
        "os.link",
        "os.path.samestat",
    },
    "stores/sqlite/restore.py": {  # no clock: it names a file after its time
        *FILES,
        "datetime",
        "fcntl",
        "os.fstat",
        "os.path.samestat",
        "os.read",
    },
    "stores/sqlite/setup.py": {*FILES, "uuid"},  # a new ledger's name, unless the caller gives one
    "stores/sqlite/store.py": {
        "<loop>.run_in_executor",
        "concurrent.futures.ThreadPoolExecutor",
        "threading.Event",
    },  # unless one is given
    "stores/sqlite_actions/actions_store.py": {
        "<loop>.run_in_executor",
        "concurrent.futures.ThreadPoolExecutor",
    },
    "stores/sqlite_calls/calls_store.py": {"<loop>.run_in_executor", "concurrent.futures.ThreadPoolExecutor"},
    "stores/sqlite/threads.py": {
        "asyncio.wrap_future",
        "concurrent.futures.Executor",
        "concurrent.futures.Future",
        "threading.local",
    },
}
"""The exceptions, module by module."""

DATABASES = {
    "stores/sqlite/": {"sqlite3"},
    "stores/sqlite_actions/": {"sqlite3"},
    "stores/sqlite_calls/": {"sqlite3"},
    "stores/postgres/": {"asyncpg"},
    "stores/postgres_calls/": {"asyncpg"},
}
"""What a store as a whole may use."""

METHODS = words("""
    connect_accepted_socket create_connection create_datagram_endpoint create_server create_unix_connection
    create_unix_server getaddrinfo getnameinfo run_in_executor sock_accept sock_connect sock_recv sock_sendall
    subprocess_exec subprocess_shell
""")
"""The same ways as methods of an event loop, whatever the loop is called."""

BUILTINS = {"__import__", "compile", "eval", "exec"}


def allowed(path: str) -> set[str]:
    """What a module may use: by its path in the package."""
    room = path.partition("/")[0]
    database = next((set(uses) for folder, uses in DATABASES.items() if path.startswith(folder)), set())
    return VALUES | LOOP | database | ROOM_ALLOWS.get(room, set()) | MODULE_ALLOWS.get(path, set())


def names_of(nodes: list[ast.AST]) -> dict[str, str]:
    """What the imports of a module bind: the name there → the full name."""
    bound = {}
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                bound[alias.asname or top] = alias.name if alias.asname else top
        elif isinstance(node, ast.ImportFrom):
            source = "." * node.level + (node.module or "")
            bound |= {alias.asname or alias.name: f"{source}.{alias.name}" for alias in node.names}
    return bound


def used(tree: ast.Module) -> Iterator[str]:
    """All that a module takes from elsewhere, by its full name: `asyncio.sleep`, whatever it is called there.

    `import asyncio` alone is `asyncio.*`: it may be needed for whatever is allowed of it.
    """
    nodes = list(ast.walk(tree))
    bound = names_of(nodes)
    read_of = {id(node.value) for node in nodes if isinstance(node, ast.Attribute)}
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (f"{alias.name}.*" for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (bound[alias.asname or alias.name] for alias in node.names)
        elif isinstance(node, ast.Attribute) and node.attr in METHODS and ast.unparse(node.value) not in bound:
            yield f"<loop>.{node.attr}"
        elif isinstance(node, ast.Name) and node.id in BUILTINS:
            yield node.id
        elif isinstance(node, ast.Attribute | ast.Name) and id(node) not in read_of:
            head, dot, rest = ast.unparse(node).partition(".")
            if head in bound and rest.replace(".", "").replace("_", "").isalnum() == bool(dot):
                yield bound[head] + dot + rest


def is_allowed(name: str, listed: set[str]) -> bool:
    """Whether a full name is listed, or stands below a listed one."""
    if name.endswith(".*"):
        return is_allowed(name[:-2], listed) or any(each.startswith(name[:-1]) for each in listed)
    return any(f"{name}.".startswith(f"{each}.") for each in listed)


def forbidden(path: str, tree: ast.Module) -> list[str]:
    """What a module uses and may not, sorted."""
    listed = allowed(path)
    return sorted({name for name in used(tree) if not is_allowed(name, listed)})


def without_clock(tree: ast.Module) -> list[str]:
    """The defaults of parameters that are clocks: whoever gives none would have the machine's."""
    return [
        ast.unparse(default)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for default in (*node.args.defaults, *filter(None, node.args.kw_defaults))
        if ast.unparse(default).startswith(("time.", "asyncio.get_event_loop"))
    ]


def sources() -> Iterator[tuple[str, ast.Module]]:
    """Every module that the rules are for, by its path in the package."""
    for name in ROOMS:
        root = PACKAGE / name
        for path in sorted(root.rglob("*.py")) if root.is_dir() else [root]:
            yield path.relative_to(PACKAGE).as_posix(), ast.parse(path.read_text())


def test_no_module_uses_what_a_port_is_for():
    """A simulation that replaces the ports has replaced everything."""
    found = {path: names for path, tree in sources() if (names := forbidden(path, tree))}
    assert not found


def test_no_exception_is_left_over():
    """What a module is allowed, it uses."""
    using = {path: set(used(tree)) for path, tree in sources()}
    for path, names in MODULE_ALLOWS.items():
        for name in names - FILES:
            assert any(is_allowed(each, {name}) for each in using[path]), (path, name)


def test_what_the_ports_rooms_lend_has_no_clock_of_its_own():
    """The core logs through `observability`, whose clock the caller gives."""
    for path in sorted((PACKAGE / "observability").rglob("*.py")):
        assert not without_clock(ast.parse(path.read_text())), path


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("wallet/x.py", "import time"),
        ("wallet/x.py", "from secrets import token_hex"),
        ("wallet/x.py", "def f():\n    import random\n    return random.random()"),
        ("ciphers.py", "import os\nos.urandom(12)"),
        ("ciphers.py", "from os import urandom"),
        ("ciphers.py", "import os as o\no.urandom(12)"),
        ("ciphers.py", "import os\nmachine = os"),
        ("webhook/x.py", "from asyncio import to_thread"),
        ("webhook/x.py", "import asyncio as a\na.to_thread(print)"),
        ("engine/x.py", "async def f(loop):\n    await loop.create_connection(object, 'h', 1)"),
        ("engine/x.py", "import asyncio\nasyncio.get_running_loop().run_in_executor(None, print)"),
        ("engine/x.py", "from redis import Redis"),
        ("engine/x.py", "import redis.asyncio\nredis.asyncio.Redis()"),
        ("engine/x.py", "import redis.asyncio as r\nr.Redis()"),
        ("writer/x.py", "import threading, concurrent.futures"),
        ("wallet/x.py", "import sqlite3\nsqlite3.connect('f')"),
        ("wallet/x.py", "import aiohttp\naiohttp.ClientSession()"),
        ("webhook/x.py", "import aiohttp\naiohttp.ClientSession()"),
        ("providers/x.py", "import time"),
        ("http_server/x.py", "import time"),
        ("providers/x.py", "from datetime import datetime"),
        ("ledger/x.py", "__import__('time').time()"),
        ("ledger/x.py", "from . import clock"),
    ],
)
def test_the_scan_finds_every_way_around_a_port(path, source):
    """Whatever it is called, and wherever it stands."""
    assert forbidden(path, ast.parse(source))


@pytest.mark.parametrize(
    "source", ["import time\ndef f(*, clock=time.monotonic): ...", "import time\nf = lambda c=time.time: c()"]
)
def test_the_scan_finds_a_clock_that_nobody_gave(source):
    """As a default."""
    assert without_clock(ast.parse(source))


def test_the_scan_leaves_in_peace_what_follows_the_loop():
    """Sleeping and deadlines are the loop's."""
    source = "import asyncio\nfrom asyncio import sleep as nap\nasync def f():\n    await asyncio.sleep(1)\n"
    assert not forbidden("wallet/x.py", ast.parse(source))
