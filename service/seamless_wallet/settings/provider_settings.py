"""What may be set for one game provider."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationInfo,
    field_validator,
)

from seamless_wallet.ciphers import CipherName, KeyEncoding, decode_key
from seamless_wallet.settings.field_types import Currencies, Networks


class ProviderSettings(BaseModel):
    """One game provider: a table `[providers.<name>]` of the TOML file."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    profile: str = Field(description="Wire format it speaks, such as `dowinn-v3`.")
    api_id: Annotated[str, StringConstraints(min_length=1, max_length=128)] = Field(description="Its `Api-Id` header.")
    key_encoding: KeyEncoding = Field("utf8", description="How `api_key` spells the 32 bytes of the AES key.")
    api_key: SecretStr = Field(description="Its `Api-Key` header; decoded, its AES key of exactly 32 bytes.")
    previous_api_key: SecretStr | None = Field(
        None, description="Also accepted while a key is being changed. Remove it afterwards."
    )
    cipher: CipherName = Field(
        "aes-256-ecb", description="`aes-256-gcm` where the provider offers it: ECB has no integrity."
    )
    reply_body: Literal["bare", "json-string"] = Field(
        "bare",
        description="How the encrypted reply is wrapped: bare base64 text, or quoted as a JSON string.",
    )
    session: Literal["required", "off"] = Field("required", description="Whether a bet needs an open session.")
    cancel_unknown: Literal["tombstone", "r3"] = Field(
        "tombstone",
        description="Cancel of a bet never seen: `tombstone` answers R0 and refuses that bet for ever; `r3`.",
    )
    change_overdraw: Literal["debt", "reject"] = Field(
        "debt",
        description="A result change that takes more than the balance: `debt` takes what is there, and the "
        "rest becomes the player's debt; `reject` answers R4.",
    )
    currencies: Currencies | None = Field(None, description="Currencies it may send. Left out: all of `[currencies]`.")
    allow: Networks = Field((), description="Networks it may call from. Left out: any.")

    @field_validator("api_key", "previous_api_key")
    @classmethod
    def _key_has_32_bytes(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if value is not None and "key_encoding" in info.data:
            decode_key(value.get_secret_value(), info.data["key_encoding"])
        return value

    @property
    def aes_key(self) -> bytes:
        """32 bytes."""
        return decode_key(self.api_key.get_secret_value(), self.key_encoding)

    @property
    def previous_aes_key(self) -> bytes | None:
        """32 bytes, while there is a previous key."""
        if self.previous_api_key is None:
            return None
        return decode_key(self.previous_api_key.get_secret_value(), self.key_encoding)
