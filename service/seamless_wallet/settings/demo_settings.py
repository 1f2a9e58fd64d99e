"""The configuration of `wallet up --demo`: one provider with a random key, written to the data directory."""

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

DEMO_TOML: Final = """\
# Written by `wallet up --demo`, to try the wallet with. You may edit this file: it is never overwritten. Delete it to
# get a new one. An environment variable (such as WALLET_WORKERS=2) overrides the setting in this file.
# `wallet docs settings` explains every setting.

# workers = 2
# webhook_port = 8080
# admin_port = 8081

# Decimal places of each currency. Never change them for a currency that is in use.
[currencies]
KRW = 2
USD = 2
JPY = 2
PHP = 2
EUR = 2

# A game provider. Add a table [providers.<name>] for each further one.
[providers.demo]
profile = "dowinn-v3"
api_id = "demo"
api_key_file = "demo.key"       # 32 random characters, beside this file
# accept = "settlements"        # take no logins and bets any more; settle what is open
# session = "off"               # accept bets without a login
# cancel_unknown = "r3"         # refuse the cancel of a bet that was never seen
# change_overdraw = "reject"    # refuse a result change that takes more than the balance
# currencies = ["USD"]          # the currencies it may send; default: all of the above
# allow = ["192.0.2.0/24"]      # the networks it may call from; default: any
"""


def ensure_demo(environ: Mapping[str, str] = os.environ) -> Path | None:
    """Write the demo's files and return the path of the TOML file. None if there is a configuration already.

    The TOML file is written last: if it exists, the others do, too. Raises SettingsError.
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
