"""The other side of the service's HTTP: what a game provider and an operator's own programs call.

`webhook` and `provider_events` play the provider. `admin_api` calls our back office, `back_office_ports` that of any
operator. `target` says which wallet is meant, and `login_probe` whether there is one. The command line, the simulator
and conformance share them. They know the wire format (providers, ciphers), commands, money and errors, and nothing of
how a wallet works.
"""
