"""The other side of the service's HTTP: what a game provider and an operator's own programs call.

`webhook` and `provider_events` play the provider, `admin_api` calls the back office; the command line, the simulator
and conformance share them. They know the wire format (providers, ciphers), commands, money and errors, and nothing of
how a wallet works.
"""
