"""The settings of the ports: where to listen, and whether with TLS."""

from __future__ import annotations

import ssl
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from seamless_wallet.settings.field_types import Certificates, Host, Port
from seamless_wallet.tls import PLAIN_HTTP_REMEDY, is_loopback, server_context


class Listeners(BaseModel):
    """The ports of webhooks, of the back office, and of the health of single processes."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    webhook_host: Host = Field("127.0.0.1", description="Address to listen on for webhooks.")
    webhook_port: Port = Field(8080, description="Port to listen on for webhooks. 0 takes any free port.")
    admin_host: Host = Field("127.0.0.1", description="Address to listen on for the back office, health and metrics.")
    admin_port: Port = Field(8081, description="Port of the back office, health and metrics. 0 takes any free port.")
    health_host: Host = Field(
        "127.0.0.1", description="Address to listen on for the health of a process that was started by itself."
    )
    health_port: Port | None = Field(
        None,
        description="Port on which a process that was started by itself (`wallet serve`, `wallet write`, `wallet "
        "admin`) answers `/livez`, `/readyz` and `/metrics` of its own. 0 takes any free port. Default: none, only a "
        "unix socket. With `wallet up`, the port of the back office tells about all processes.",
    )
    tls_cert: Certificates | None = Field(
        None,
        description="Certificate of both ports in PEM, followed by those of the authorities between it and the root. "
        "With it they speak HTTPS only. One that is renewed is taken with a reload.",
    )
    tls_key: SecretStr | None = Field(
        None, description="Private key of that certificate in PEM, without a pass phrase."
    )
    webhook_tls_client_ca: Certificates | None = Field(
        None,
        description="Certificates in PEM. Who calls a webhook needs a certificate that one of them has signed. "
        "Default: callers need none.",
    )
    admin_tls_client_ca: Certificates | None = Field(
        None,
        description="The same for the port of the back office: probes and scrapers need a certificate, too.",
    )
    plain_http: Literal["loopback", "behind-proxy"] = Field(
        "loopback",
        description="Where HTTP without TLS may be spoken. `loopback`: on loopback addresses only. `behind-proxy`: on "
        "any address, because a proxy in front speaks HTTPS, and nobody else reaches the port.",
    )

    @model_validator(mode="after")
    def _listeners_are_two(self) -> Listeners:
        if self.admin_port and (self.admin_host, self.admin_port) == (self.webhook_host, self.webhook_port):
            raise ValueError(
                f"admin_port: {self.admin_port} is also webhook_port on the same host; choose another port"
            )
        return self

    @model_validator(mode="after")
    def _certificate_and_key_fit(self) -> Listeners:
        if self.tls_cert is None:
            for name in ("tls_key", "webhook_tls_client_ca", "admin_tls_client_ca"):
                if getattr(self, name) is not None:
                    raise ValueError(f"{name}: is no use without a certificate; set tls_cert_file, too")
        elif self.tls_key is None:
            raise ValueError("tls_cert: has no key; set tls_key_file, too")
        else:
            try:
                self.webhook_tls()
            except ValueError as error:
                raise ValueError(f"tls_key: {error}") from None
        return self

    @model_validator(mode="after")
    def _plain_http_stays_here(self) -> Listeners:
        if self.plain_http != "loopback":
            return self
        plain = [] if self.has_tls else [("webhook_host", self.webhook_host), ("admin_host", self.admin_host)]
        if self.health_port is not None:
            plain.append(("health_host", self.health_host))
        for name, host in plain:
            if is_loopback(host) is False:
                raise ValueError(f"{name}: {host} is no loopback address: {PLAIN_HTTP_REMEDY}")
        return self

    @property
    def has_tls(self) -> bool:
        """Whether both ports speak HTTPS."""
        return self.tls_cert is not None

    @property
    def scheme(self) -> str:
        """Of the URLs of both ports."""
        return "https" if self.has_tls else "http"

    @property
    def may_be_plain(self) -> bool:
        """Whether both ports may be on any address: they speak HTTPS, or plain HTTP is allowed everywhere."""
        return self.has_tls or self.plain_http == "behind-proxy"

    def webhook_tls(self) -> ssl.SSLContext | None:
        """What the port of webhooks serves; None: plain HTTP. A new one with each call."""
        return self._tls(self.webhook_tls_client_ca)

    def admin_tls(self) -> ssl.SSLContext | None:
        """What the port of the back office serves; None: plain HTTP. A new one with each call."""
        return self._tls(self.admin_tls_client_ca)

    def _tls(self, client_ca: SecretStr | None) -> ssl.SSLContext | None:
        if self.tls_cert is None or self.tls_key is None:
            return None
        trusted = "" if client_ca is None else client_ca.get_secret_value()
        return server_context(self.tls_cert.get_secret_value(), self.tls_key.get_secret_value(), trusted)
