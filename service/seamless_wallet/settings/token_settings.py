"""The settings of one token of the back office."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, model_validator

from seamless_wallet.access_roles import AccessRole, TokenHolder, token_digest
from seamless_wallet.settings.field_types import Digest, Token


class TokenSettings(BaseModel):
    """One token: a table `[tokens.<name>]` of the TOML file. It has either a digest or the token itself."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    role: AccessRole = Field(
        description="What the token is for: `read` looks at players, entries and calls; `support` also creates and "
        "blocks players, acknowledges calls, and has cancels, results and changes decided again; `money` also "
        "deposits, withdraws, and has bets decided again; `admin` does all."
    )
    sha256: Digest | None = Field(
        None, description="SHA-256 of the token, 64 hexadecimal digits: `wallet token new` prints both."
    )
    token: Token | None = Field(
        None, description="The token itself, in place of its digest: in a file of a secret store, by `token_file`."
    )

    @model_validator(mode="after")
    def _has_one(self) -> TokenSettings:
        if (self.sha256 is None) == (self.token is None):
            raise ValueError("needs either sha256 or token_file; `wallet token new` prints the first")
        return self

    def holder(self, name: str) -> TokenHolder:
        """Whose token this is."""
        if self.token is not None:
            return TokenHolder(name, self.role, token_digest(self.token.get_secret_value()))
        return TokenHolder(name, self.role, bytes.fromhex(self.sha256.get_secret_value() if self.sha256 else ""))
