"""The settings of one game provider."""

from __future__ import annotations

from typing import Annotated

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationInfo,
    field_validator,
)

from seamless_wallet.ciphers import decode_key
from seamless_wallet.provider_choices import (
    API_ID_CHARS_MAX,
    AcceptRule,
    CancelUnknownRule,
    ChangeOverdrawRule,
    ReplyBody,
    SessionRule,
)
from seamless_wallet.settings.field_types import CipherName, Currencies, KeyEncoding, Networks, Whole


class ProviderSettings(BaseModel):
    """One game provider: a table `[providers.<name>]` of the TOML file."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    profile: str = Field(description="Wire format of the provider, such as `dowinn-v3`.")
    api_id: Annotated[str, StringConstraints(min_length=1, max_length=API_ID_CHARS_MAX)] = Field(
        description="The provider's `Api-Id` header."
    )
    key_encoding: KeyEncoding = Field("utf8", description="How `api_key` is written: as text, hexadecimal or base64.")
    api_key: SecretStr = Field(
        description="The provider's `Api-Key` header. Decoded, it is the AES key of exactly 32 bytes."
    )
    previous_api_key: SecretStr | None = Field(
        None, description="Accepted besides `api_key` while a key is being changed. Remove it afterwards."
    )
    cipher: CipherName = Field(
        "aes-256-ecb", description="Choose `aes-256-gcm` if the provider offers it: ECB does not detect changes."
    )
    reply_body: ReplyBody = Field(
        ReplyBody.BARE,
        description="Form of the encrypted reply: bare base64 text, or a JSON string.",
    )
    accept: AcceptRule = Field(
        AcceptRule.ALL,
        description="Which events are taken. With `settlements`, logins and bets are answered R1, and cancels, "
        "results, changes and logouts as always: what is open is played to its end.",
    )
    session: SessionRule = Field(SessionRule.REQUIRED, description="Whether a bet needs an open session.")
    cancel_unknown: CancelUnknownRule = Field(
        CancelUnknownRule.TOMBSTONE,
        description="Cancel of a bet that was never seen. `tombstone` answers R0 and refuses that bet for ever. `r3` "
        "answers R3.",
    )
    change_overdraw: ChangeOverdrawRule = Field(
        ChangeOverdrawRule.DEBT,
        description="A result change that takes more than the balance. `debt` takes the balance, and the rest becomes "
        "the player's debt. `reject` answers R4.",
    )
    bet_age_max_s: Whole | None = Field(
        None,
        ge=1,
        le=30 * 86_400,
        description="A bet with an older timestamp is answered R3, unless it is known already. Default: bets of any "
        "age are taken.",
    )
    currencies: Currencies | None = Field(
        None, description="Currencies that the provider may send. Default: all of `[currencies]`."
    )
    allow: Networks = Field((), description="Networks that the provider may call from. Default: any.")

    @field_validator("api_key", "previous_api_key")
    @classmethod
    def _key_has_32_bytes(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if value is not None and "key_encoding" in info.data:
            decode_key(value.get_secret_value(), info.data["key_encoding"])
        return value
