from __future__ import annotations

import ipaddress
from hashlib import sha256
from pathlib import Path

import pytest
from pydantic import ValidationError
from redis.asyncio import ConnectionPool

from seamless_wallet.ciphers import decode_key
from seamless_wallet.errors import SettingsError
from seamless_wallet.processes.settings_reference import reference
from seamless_wallet.settings import ProviderSettings, Settings, admin_token, ensure_demo, load_settings
from seamless_wallet.settings.changes import without_restart
from tests.certificates import Authority

KEY = "0123456789abcdef0123456789abcdef"
PROVIDER = f"""
[providers.acme]
profile = "dowinn-v3"
api_id = "op"
api_key = "{KEY}"
"""

CERTIFICATE = Authority().signed()


@pytest.fixture
def load(tmp_path):
    """Load settings with this TOML text and these variables."""

    def run(toml: str | None = None, **variables: str) -> Settings:
        environ = {"WALLET_DATA_DIR": str(tmp_path), **variables}
        if toml is not None:
            (tmp_path / "given.toml").write_text(toml)
            environ["WALLET_CONFIG"] = str(tmp_path / "given.toml")
        return load_settings(environ)

    return run


def aes_key(provider: ProviderSettings) -> bytes:
    """What a provider's key is, read as its settings say."""
    return decode_key(provider.api_key.get_secret_value(), provider.key_encoding)


@pytest.fixture
def refusal(load):
    """The one line with which these settings are refused."""

    def run(toml: str | None = None, **variables: str) -> str:
        with pytest.raises(SettingsError) as caught:
            load(toml, **variables)
        line = str(caught.value)
        assert "\n" not in line
        return line

    return run


def test_defaults_are_those_of_the_contract(load, tmp_path):
    """Nothing set: every default is the one that operators and other parts rely on."""
    settings = load()
    assert (settings.workers, settings.shards) == (1, 16)
    assert (settings.webhook_host, settings.webhook_port) == ("127.0.0.1", 8080)
    assert (settings.admin_host, settings.admin_port) == ("127.0.0.1", 8081)
    assert (settings.deadline_ms, settings.hot_window_s, settings.body_bytes_max) == (2000, 3600, 4 * 2**20)
    assert (settings.session_s, settings.session_grace_ms) == (28_800, 10_000)
    assert (settings.pending_max, settings.in_flight_max) == (10_000, 4096)
    assert (settings.stream_tail, settings.batch_max) == (1000, 1000)
    assert settings.currencies == {"KRW": 2, "USD": 2, "JPY": 2, "PHP": 2, "EUR": 2}
    assert settings.ledger_path == tmp_path / "ledger.sqlite3"
    assert settings.redis_address == f"unix://{tmp_path}/redis.sock"


def test_the_data_directory_defaults_to_var_below_the_working_directory(tmp_path, monkeypatch):
    """`./var`, made absolute at once, so that a later change of directory does not move it."""
    monkeypatch.chdir(tmp_path)
    assert load_settings({}).data_dir == tmp_path / "var"


def test_settings_cannot_be_changed(load):
    """Settings are frozen."""
    with pytest.raises(ValidationError):
        load().workers = 2


def test_the_environment_wins_over_the_file(load):
    """A variable beats the file; what only the file says holds."""
    settings = load("workers = 3\nshards = 4", WALLET_WORKERS="2")
    assert (settings.workers, settings.shards) == (2, 4)


def test_an_empty_variable_counts_as_not_set(load):
    """Compose files write `X=` for what is not set."""
    assert load("workers = 3", WALLET_WORKERS="", WALLET_REDIS_URL="").workers == 3


def test_the_file_in_the_data_directory_is_found(tmp_path):
    """So that every command finds what `wallet up --demo` wrote."""
    (tmp_path / "wallet.toml").write_text("workers = 7")
    settings = load_settings({"WALLET_DATA_DIR": str(tmp_path)})
    assert (settings.workers, settings.config) == (7, tmp_path / "wallet.toml")


def test_the_file_in_the_data_directory_cannot_point_elsewhere(tmp_path, monkeypatch):
    """The data directory that named the file stays the data directory."""
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "wallet.toml").write_text('data_dir = "elsewhere"')
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError, match="names another directory"):
        load_settings({})


def test_relative_paths_in_the_file_start_at_the_file(tmp_path):
    """A file and its neighbours can be moved together."""
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "my.toml").write_text('data_dir = "data"\n' + PROVIDER.replace("api_key", "api_key_file"))
    (folder / KEY).write_text(KEY + "\n")
    settings = load_settings({"WALLET_CONFIG": str(folder / "my.toml")})
    assert settings.data_dir == folder / "data"
    assert aes_key(settings.providers["acme"]) == KEY.encode()


def test_lists_of_networks(load):
    """Comma-separated in a variable, an array in TOML; a single address is a network of one."""
    settings = load(None, WALLET_TRUSTED_PROXIES="10.0.0.0/8, 192.0.2.1")
    assert settings.trusted_proxies == (
        ipaddress.ip_network("10.0.0.0/8"),
        ipaddress.ip_network("192.0.2.1/32"),
    )
    provider = load(PROVIDER + 'allow = ["2001:db8::/32"]').providers["acme"]
    assert provider.allow == (ipaddress.ip_network("2001:db8::/32"),)


def test_provider_defaults(load):
    """A provider needs a profile, an id and a key; the rest has the documented defaults."""
    provider = load(PROVIDER).providers["acme"]
    assert (provider.cipher, provider.key_encoding, provider.reply_body) == ("aes-256-ecb", "utf8", "bare")
    assert (provider.session, provider.cancel_unknown) == ("required", "tombstone")
    assert (provider.change_overdraw, provider.currencies, provider.allow) == ("debt", None, ())
    assert (aes_key(provider), provider.previous_api_key) == (KEY.encode(), None)


@pytest.mark.parametrize(("encoding", "text"), [("hex", "00" * 32), ("base64", "A" * 43 + "=")])
def test_keys_in_hex_and_base64(load, encoding, text):
    """Other spellings give the same 32 bytes."""
    provider = load(PROVIDER.replace(KEY, text) + f'key_encoding = "{encoding}"').providers["acme"]
    assert aes_key(provider) == bytes(32)


@pytest.mark.parametrize(
    ("toml", "variables", "parts"),
    [
        (None, {"WALLET_WORKERS": "many"}, ["WALLET_WORKERS:", "integer", "'many'", "default (1)"]),
        ("workers = 0", {}, ["workers in ", "given.toml:", "greater than or equal to 1", "not '0'"]),
        (None, {"WALLET_WORKER": "2"}, ["WALLET_WORKER: there is no such setting", "did you mean WALLET_WORKERS?"]),
        ("worker = 2", {}, ["worker in ", "there is no such setting", "did you mean workers?"]),
        (PROVIDER + "cypher = 1", {}, ["providers.acme.cypher in", "did you mean cipher?"]),
        (PROVIDER.replace(KEY, KEY[1:]), {}, ["providers.acme.api_key in", "31 bytes", "exactly 32"]),
        (PROVIDER + 'key_encoding = "hex"', {}, ["providers.acme.api_key in", "16 bytes"]),
        (PROVIDER + 'previous_api_key = "x"', {}, ["providers.acme.previous_api_key in", "1 bytes"]),
        (PROVIDER.replace('"dowinn-v3"', "3"), {}, ["providers.acme.profile in", "a valid string", "not '3'"]),
        (PROVIDER + 'cipher = "aes"', {}, ["providers.acme.cipher in", "'aes-256-gcm'", "not 'aes'"]),
        (PROVIDER + 'session = "on"', {}, ["providers.acme.session in", "'required' or 'off'"]),
        (PROVIDER.replace("acme", "Acme"), {}, ["providers.Acme in", "not a valid name"]),
        (PROVIDER.replace('api_id = "op"', ""), {}, ["providers.acme.api_id in", "is missing", "Api-Id"]),
        (PROVIDER + 'currencies = ["XYZ"]', {}, ["providers.acme.currencies", "XYZ", "[currencies]"]),
        (None, {"WALLET_HOT_WINDOW_S": "19"}, ["hot_window_s", "10 times deadline_ms", "raise it"]),
        (None, {"WALLET_IDLE_EVICT_S": "3600"}, ["idle_evict_s: 3600 s", "more than hot_window_s", "raise it", "to 0"]),
        (None, {"WALLET_IDLE_EVICT_S": "-1"}, ["WALLET_IDLE_EVICT_S", "greater than or equal to 0"]),
        (None, {"WALLET_VERIFY_EVERY_S": "-1"}, ["WALLET_VERIFY_EVERY_S", "greater than or equal to 0"]),
        (PROVIDER + 'allow = ["10.0.0.1/8"]', {}, ["providers.acme.allow in", "host bits"]),
        (PROVIDER + 'api_key_file = "x"', {}, ["providers.acme.api_key_file in", "keep one of the two"]),
        (PROVIDER.replace("api_key", "api_key_file"), {}, ["api_key_file in", "No such file"]),
        ("[currencies]\nKRW = 9", {}, ["currencies.KRW in", "less than or equal to 8"]),
        ("[currencies]\nkrw = 2", {}, ["currencies.krw in", "not a valid name"]),
        ("[currencies]", {}, ["currencies in"]),
        ("providers = 1", {}, ["providers in", "table"]),
        ("providers = {a = 1}", {}, ["providers.a in"]),
        ("x = ", {}, ["WALLET_CONFIG:", "is not TOML"]),
        ("x = " + "[" * 20_000, {}, ["WALLET_CONFIG:", "is not TOML"]),
        ("x = " + "9" * 5_000, {}, ["WALLET_CONFIG:", "is not TOML"]),
        (None, {"WALLET_CONFIG": "/nowhere.toml"}, ["WALLET_CONFIG: cannot read /nowhere.toml"]),
        (None, {"WALLET_PROVIDERS": "{}"}, ["WALLET_PROVIDERS: is a table", "TOML"]),
        (None, {"WALLET_LEDGER_URL": "mysql://u:hunter2@h/d"}, ["WALLET_LEDGER_URL:", "neither a SQLite file nor"]),
        (None, {"WALLET_LEDGER_URL": "sqlite:///"}, ["WALLET_LEDGER_URL:", "neither a SQLite file nor"]),
        (None, {"WALLET_LEDGER_URL": "postgresql://u:hunter2@h"}, ["WALLET_LEDGER_URL:", "names no database"]),
        (None, {"WALLET_LEDGER_URL": "postgresql://h/a/b"}, ["WALLET_LEDGER_URL:", "names no database"]),
        (None, {"WALLET_LEDGER_URL": "postgresql://u:hunter2@h/d?options=x"}, ["WALLET_LEDGER_URL:", "no options but"]),
        (None, {"WALLET_LEDGER_URL": "postgresql://u:hunter 2@h/d"}, ["WALLET_LEDGER_URL:", "percent-encode"]),
        (None, {"WALLET_LEDGER_URL": "postgresql://u:hunter2[@h/d"}, ["WALLET_LEDGER_URL: is not a URL"]),
        (None, {"WALLET_LEDGER_URL": "postgresql://u:hunter2@h,[::1/d"}, ["WALLET_LEDGER_URL: is not a URL"]),
        (None, {"WALLET_REDIS_URL": "http://u:hunter2@h"}, ["WALLET_REDIS_URL:", "redis://"]),
        (None, {"WALLET_REDIS_URL": "redis://u:hunter2@h:x/0"}, ["WALLET_REDIS_URL: has no valid port"]),
        (None, {"WALLET_REDIS_URL": "redis://127.0.0.1:99999"}, ["WALLET_REDIS_URL: has no valid port"]),
        (None, {"WALLET_REDIS_URL": "redis://127.0.0.1:0"}, ["WALLET_REDIS_URL: has no valid port"]),
        (None, {"WALLET_REDIS_URL": "redis://:hunter2/x@h:1/0"}, ["WALLET_REDIS_URL: has no valid port", "encode"]),
        (None, {"WALLET_REDIS_URL": "redis://:hunter2#x@h/0"}, ["WALLET_REDIS_URL: is not a URL", "percent-encode"]),
        (None, {"WALLET_REDIS_URL": "redis://:hunter2[@h/0"}, ["WALLET_REDIS_URL: is not a URL", "percent-encode"]),
        (None, {"WALLET_REDIS_URL": "redis://:hunter2 @h/0"}, ["WALLET_REDIS_URL: has a space"]),
        (None, {"WALLET_REDIS_URL": "redis://"}, ["WALLET_REDIS_URL: has no valid host"]),
        (None, {"WALLET_REDIS_URL": "rediss://:hunter2@a..b/0"}, ["WALLET_REDIS_URL: has no valid host"]),
        (None, {"WALLET_REDIS_URL": "redis://h/wallet"}, ["WALLET_REDIS_URL:", "number of a database"]),
        (None, {"WALLET_REDIS_URL": "redis://h?db=x"}, ["WALLET_REDIS_URL:", "number of a database"]),
        (None, {"WALLET_REDIS_URL": "redis://h?socket_timeout=1"}, ["WALLET_REDIS_URL:", "no options but db"]),
        (None, {"WALLET_REDIS_URL": "unix://"}, ["WALLET_REDIS_URL: needs the absolute path", "unix:///run"]),
        (None, {"WALLET_REDIS_URL": "unix://run/redis.sock"}, ["WALLET_REDIS_URL: needs the absolute path"]),
        (None, {"WALLET_REDIS_URL": "unix:///" + 107 * "x"}, ["WALLET_REDIS_URL:", "too long for a socket"]),
        (None, {"WALLET_WEBHOOK_HOST": "nope..x"}, ["WALLET_WEBHOOK_HOST: should be an address", "not 'nope..x'"]),
        (None, {"WALLET_ADMIN_HOST": "http://h"}, ["WALLET_ADMIN_HOST: should be an address", "not 'http://h'"]),
        ('webhook_host = "a\\u0000b"', {}, ["webhook_host in", "should be an address"]),
        (None, {"WALLET_ADMIN_PORT": "8080"}, ["admin_port: 8080 is also webhook_port", "choose another"]),
        ("webhook_port = true", {}, ["webhook_port in", "valid integer, not 'True'", "default (8080)"]),
        ("workers = true", {}, ["workers in", "valid integer, not 'True'"]),
        ("[currencies]\nKRW = true", {}, ["currencies.KRW in", "valid integer"]),
        (PROVIDER + "currencies = []", {}, ["providers.acme.currencies in", "is empty", "leave it out for all"]),
        (None, {"WALLET_ADMIN_TOKEN": "hunter2"}, ["WALLET_ADMIN_TOKEN: is shorter than 16", "openssl rand -hex 32"]),
        (
            None,
            {"WALLET_ADMIN_TOKEN": "hunter2 hunter2 hunter2"},
            ["WALLET_ADMIN_TOKEN: may contain", "without spaces"],
        ),
        (None, {"WALLET_ADMIN_TOKEN": "hunter2-hunter2-é"}, ["WALLET_ADMIN_TOKEN: may contain", "ASCII"]),
        (
            None,
            {"WALLET_ADMIN_TOKEN_FILE": "/nowhere"},
            ["WALLET_ADMIN_TOKEN_FILE: cannot read", "No such file"],
        ),
        (None, {"WALLET_LOG_LEVEL": "loud"}, ["WALLET_LOG_LEVEL:", "'DEBUG'", "not 'LOUD'"]),
        (None, {"WALLET_WEBHOOK_PORT": "70000"}, ["WALLET_WEBHOOK_PORT:", "65535"]),
        (None, {"WALLET_TLS_CERT": "hunter2"}, ["WALLET_TLS_CERT: is no certificate in PEM"]),
        (None, {"WALLET_TLS_CERT": CERTIFICATE.cert}, ["tls_cert: has no key", "tls_key_file"]),
        (None, {"WALLET_TLS_KEY": CERTIFICATE.key}, ["tls_key: is no use without a certificate", "tls_cert_file"]),
        (
            None,
            {"WALLET_TLS_CERT": CERTIFICATE.cert, "WALLET_TLS_KEY": "hunter2"},
            ["tls_key: is no private key in PEM"],
        ),
        (
            None,
            {"WALLET_TLS_CERT": CERTIFICATE.cert, "WALLET_TLS_KEY": Authority().signed().key},
            ["tls_key: does not belong to the certificate"],
        ),
        (None, {"WALLET_TLS_CERT_FILE": "/nowhere"}, ["WALLET_TLS_CERT_FILE: cannot read the file"]),
        (None, {"WALLET_ADMIN_TLS_CLIENT_CA": "hunter2"}, ["WALLET_ADMIN_TLS_CLIENT_CA: is no certificate"]),
        (None, {"WALLET_WEBHOOK_HOST": "192.0.2.1"}, ["webhook_host: 192.0.2.1", "WALLET_PLAIN_HTTP=behind-proxy"]),
        ('admin_host = "::"', {}, ["admin_host: ::", "no loopback", "WALLET_TLS_CERT_FILE"]),
        (
            None,
            {"WALLET_HEALTH_HOST": "192.0.2.1", "WALLET_HEALTH_PORT": "0"},
            ["health_host: 192.0.2.1", "behind-proxy"],
        ),
        (
            '[tokens.ann]\nrole = "king"\ntoken = "hunter2-hunter2-hunter2"',
            {},
            ["tokens.ann.role in", "'admin'", "king"],
        ),
        ('[tokens.ann]\nrole = "read"', {}, ["tokens.ann in", "either sha256 or token_file"]),
        ('[tokens.ann]\nrole = "read"\nsha256 = "hunter2"', {}, ["tokens.ann.sha256 in", "64 hexadecimal digits"]),
        ('[tokens.ann]\nrole = "read"\ntoken = "hunter2"', {}, ["tokens.ann.token in", "shorter than 16"]),
        ('[tokens.ann]\nrole = "read"\nsha265 = "x"', {}, ["tokens.ann.sha265 in", "did you mean sha256?"]),
        (f'[tokens.admin]\nrole = "read"\nsha256 = "{"0" * 64}"', {}, ["tokens.admin:", "choose another name"]),
        (
            "".join(f'[tokens.{name}]\nrole = "read"\nsha256 = "{"0" * 64}"\n' for name in ("ann", "bob")),
            {},
            ["tokens.bob: is the token of tokens.ann, too"],
        ),
        (
            '[tokens.ann]\nrole = "read"\ntoken = "hunter2-hunter2-hunter2"',
            {"WALLET_ADMIN_TOKEN": "hunter2-hunter2-hunter2"},
            ["tokens.ann: is the admin token, too", "`wallet token new ann` makes another one"],
        ),
        (
            f'[tokens.ann]\nrole = "admin"\nsha256 = "{sha256(b"hunter2-hunter2-hunter2").hexdigest()}"',
            {"WALLET_ADMIN_TOKEN": "hunter2-hunter2-hunter2"},
            ["tokens.ann: is the admin token, too"],
        ),
        ('[tokens.ann]\nrole = "read"\ntoken_file = "gone"', {}, ["tokens.ann.token_file in", "No such file"]),
        (None, {"WALLET_TOKENS": "x"}, ["WALLET_TOKENS: is a table"]),
        (None, {"WALLET_PLAIN_HTTP": "yes"}, ["WALLET_PLAIN_HTTP:", "'loopback' or 'behind-proxy'", "not 'yes'"]),
    ],
)
def test_a_wrong_setting_is_refused_in_one_line_without_secrets(refusal, toml, variables, parts):
    """The line names the setting as the operator wrote it, says what is wrong and what to do."""
    line = refusal(toml, **variables)
    for part in parts:
        assert part in line, line
    assert KEY[1:] not in line
    assert "hunter2" not in line


def test_variables_that_kubernetes_adds_are_overlooked(load):
    """A service named `wallet` must not stop the pods behind it."""
    load(
        None,
        WALLET_SERVICE_HOST="10.0.0.1",
        WALLET_SERVICE_PORT_HTTP="80",
        WALLET_PORT="tcp://10.0.0.1:80",
        WALLET_WEBHOOK_PORT_80_TCP_ADDR="10.0.0.1",
    )


def test_secrets_are_not_shown(load):
    """Neither repr nor JSON shows a key, a token or a URL with its password."""
    settings = load(PROVIDER, WALLET_ADMIN_TOKEN="hunter2-hunter2-hunter2", WALLET_REDIS_URL="redis://:hunter2@h/0")
    for text in (repr(settings), str(settings), settings.model_dump_json()):
        assert KEY not in text
        assert "hunter2" not in text
    assert settings.redis_address == "redis://:hunter2@h/0"


def test_a_sqlite_ledger_may_be_elsewhere(load, tmp_path):
    """Three slashes and a relative path, or four."""
    assert load(None, WALLET_LEDGER_URL="sqlite:////x/y.db").ledger_path == Path("/x/y.db")
    assert load(None, WALLET_LEDGER_URL="sqlite:///y.db").ledger_path == Path.cwd() / "y.db"


def test_a_long_data_directory_gets_a_short_socket_of_its_own(tmp_path):
    """A socket's address is short: the same directory always gets the same other place."""
    paths = [
        load_settings({"WALLET_DATA_DIR": str(tmp_path / name / ("x" * 110))}).redis_socket_path
        for name in ("a", "a", "b")
    ]
    assert len(str(paths[0])) < 107
    assert paths[0] == paths[1] != paths[2]


def test_the_admin_token_is_made_once_and_private(load, tmp_path):
    """Generated on first use, mode 0600, and kept; one that is set wins."""
    token = admin_token(load()).get_secret_value()
    assert len(token) >= 32
    assert admin_token(load()).get_secret_value() == token
    assert (tmp_path / "admin.token").stat().st_mode & 0o777 == 0o600
    mine = "0123456789abcdef"
    assert admin_token(load(None, WALLET_ADMIN_TOKEN=mine)).get_secret_value() == mine


@pytest.mark.parametrize("by", ["sha256", "token_file"])
def test_the_admin_token_that_was_generated_belongs_to_nobody_else(load, tmp_path, by):
    """Whoever reads only would do everything, and the audit log could not tell who it was."""
    made = admin_token(load()).get_secret_value()
    value = {"sha256": sha256(made.encode()).hexdigest(), "token_file": str(tmp_path / "admin.token")}[by]
    settings = load(f'[tokens.ann]\nrole = "read"\n{by} = "{value}"\n')
    with pytest.raises(SettingsError, match=r"^tokens.ann: is the admin token, too; `wallet token new ann` makes "):
        admin_token(settings)


def test_a_token_that_no_header_carries_is_refused_in_its_file_too(load, tmp_path):
    """An operator may write that file; the line names it, and not what stands there."""
    (tmp_path / "admin.token").write_text("hunter2\n")
    with pytest.raises(SettingsError, match=r"WALLET_ADMIN_TOKEN: .*admin\.token is shorter than 16") as caught:
        admin_token(load())
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "redis://h",
        "redis://h/",
        "redis://h/3",
        "redis://:p%23w@[::1]:6380/0",
        "redis://user:pw@h:6379?db=2",
        "rediss://h:6379/0?ssl_ca_certs=/etc/ca.pem&ssl_check_hostname=true",
        "unix:///run/redis.sock?db=1",
        "unix://user:pw@/run/redis.sock",
    ],
)
def test_a_good_redis_url_is_one_that_redis_py_reads(load, url):
    """What is let pass can be parsed, and its options are a connection's."""
    pool = ConnectionPool.from_url(load(None, WALLET_REDIS_URL=url).redis_address)
    assert pool.make_connection() is not None


@pytest.mark.parametrize("host", ["192.0.2.1", "::", "fe80::1%eth0", "localhost", "bücher.example", "a.b-c.example."])
def test_a_host_may_be_any_address_or_name(load, host):
    """Whether it is there is found out when it is listened on."""
    assert load(None, WALLET_WEBHOOK_HOST=host, WALLET_PLAIN_HTTP="behind-proxy").webhook_host == host


def test_two_ports_may_both_be_any_free_one(load):
    """And one number may serve two addresses."""
    load(None, WALLET_WEBHOOK_PORT="0", WALLET_ADMIN_PORT="0")
    load(None, WALLET_WEBHOOK_PORT="8081", WALLET_WEBHOOK_HOST="127.0.0.2")


def test_the_demo_is_written_once_private_and_valid(tmp_path):
    """All files are 0600, load without a change, and are never overwritten."""
    environ = {"WALLET_DATA_DIR": str(tmp_path / "var")}
    assert ensure_demo(environ) == tmp_path / "var" / "wallet.toml"
    settings = load_settings(environ)
    provider = settings.providers["demo"]
    assert provider.api_key.get_secret_value().isprintable()
    files = {path.name: path.read_text() for path in (tmp_path / "var").iterdir()}
    assert set(files) == {"wallet.toml", "demo.key", "admin.token"}
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "var").iterdir()} == {0o600}
    assert (tmp_path / "var").stat().st_mode & 0o777 == 0o700
    assert ensure_demo(environ) is None
    (tmp_path / "var" / "wallet.toml").unlink()
    assert ensure_demo(environ) is not None
    assert files == {path.name: path.read_text() for path in (tmp_path / "var").iterdir()}


def test_a_settings_file_that_is_gone_is_no_change(tmp_path):
    """An editor or a deployment may be about to put it back. Without it, a reload would take every provider off."""
    environ = {"WALLET_DATA_DIR": str(tmp_path)}
    (tmp_path / "wallet.toml").write_text(PROVIDER)
    in_force = load_settings(environ)
    (tmp_path / "wallet.toml").unlink()
    with pytest.raises(SettingsError, match=f"WALLET_CONFIG: {tmp_path}/wallet.toml is gone"):
        without_restart(in_force, load_settings(environ))
    assert without_restart(load_settings(environ), in_force).providers == in_force.providers


def test_the_demo_leaves_a_configured_wallet_alone(tmp_path):
    """With WALLET_CONFIG set nothing is written."""
    environ = {"WALLET_DATA_DIR": str(tmp_path / "var"), "WALLET_CONFIG": str(tmp_path / "my.toml")}
    assert ensure_demo(environ) is None
    assert not (tmp_path / "var").exists()


def test_a_directory_that_cannot_be_made_is_refused_in_one_line(tmp_path):
    """A file where the directory should be gives one line, not a traceback."""
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="WALLET_DATA_DIR: cannot create"):
        ensure_demo({"WALLET_DATA_DIR": str(tmp_path / "file" / "var")})


def test_the_documented_settings_are_the_real_ones():
    """docs/settings.md is what `python -m seamless_wallet.processes.settings_reference` prints."""
    page = Path(__file__).parents[2] / "docs" / "settings.md"
    assert page.read_text() == reference()


@pytest.mark.parametrize(("environ", "idle_ms"), [({}, 7_200_000), ({"WALLET_HOT_WINDOW_S": "60"}, 120_000)])
def test_a_wallet_is_idle_after_two_hot_windows(tmp_path, environ, idle_ms):
    """Unless set otherwise; 0 is never."""
    environ = {"WALLET_DATA_DIR": str(tmp_path), **environ}
    assert load_settings(environ).idle_evict_ms == idle_ms
    assert load_settings({**environ, "WALLET_IDLE_EVICT_S": "3601"}).idle_evict_ms == 3_601_000
    assert load_settings({**environ, "WALLET_IDLE_EVICT_S": "0"}).idle_evict_ms == 0


def test_with_a_certificate_both_ports_may_be_anywhere(load):
    """The health of single processes is plain HTTP all the same."""
    tls = {"WALLET_TLS_CERT": CERTIFICATE.cert, "WALLET_TLS_KEY": CERTIFICATE.key}
    assert load(None, WALLET_WEBHOOK_HOST="192.0.2.1", WALLET_ADMIN_HOST="::", **tls).scheme == "https"
    with pytest.raises(SettingsError, match="health_host"):
        load(None, WALLET_HEALTH_HOST="::", WALLET_HEALTH_PORT="1", **tls)
