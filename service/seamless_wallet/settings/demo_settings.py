"""A set-up to try the wallet with: one provider with a random key, in the data directory."""

from __future__ import annotations

import os
import secrets
import string
from typing import TYPE_CHECKING, Final

from seamless_wallet.ciphers import KEY_BYTES
from seamless_wallet.settings.secret_files import TOKEN_BYTES, create_data_dir, create_secret
from seamless_wallet.settings.sources import CONFIG_FILE, data_dir_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

DEMO_PROVIDER: Final = "demo"
DEMO_TOML: Final = """\
# Written by `wallet up --demo`: a set-up to try the wallet with. Yours to edit: it is never overwritten;
# delete it to get a new one. An environment variable (WALLET_WORKERS=2 …) wins over what stands here.
# docs/settings.md explains every setting.

# workers = 2
# webhook_port = 8080
# admin_port = 8081

# Decimal places of each currency. Never change those of a currency in use.
[currencies]
KRW = 2
USD = 2
JPY = 2
PHP = 2
EUR = 2

# A game provider; add a table [providers.<name>] for each.
[providers.demo]
profile = "dowinn-v3"
api_id = "demo"
api_key_file = "demo.key"       # 32 random characters, beside this file
# session = "off"               # accept bets without a login
# cancel_unknown = "r3"         # refuse the cancel of a bet never seen
# change_overdraw = "reject"    # refuse a result change that takes more than the balance
# currencies = ["USD"]          # what it may send; default: all of the above
# allow = ["192.0.2.0/24"]      # where it may call from; default: anywhere
"""


def ensure_demo(environ: Mapping[str, str] = os.environ) -> Path | None:
    """Write the demo's files, unless there is a configuration already: then None.

    The TOML file comes last: where it is, the rest is. Raises SettingsError.
    """
    directory = data_dir_of(environ)
    config = directory / CONFIG_FILE
    if environ.get("WALLET_CONFIG") or config.exists():
        return None
    create_data_dir(directory)
    alphabet = string.ascii_letters + string.digits
    create_secret(directory / "demo.key", "".join(secrets.choice(alphabet) for _ in range(KEY_BYTES)) + "\n")
    create_secret(directory / "admin.token", secrets.token_urlsafe(TOKEN_BYTES) + "\n")
    create_secret(config, DEMO_TOML)
    return config
