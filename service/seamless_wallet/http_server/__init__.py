"""What both HTTP servers, webhook and back office, share: binding a listener, and serving an application on it.

It knows aiohttp, sockets and metrics. It knows no route, no provider, no player, no wallet and no settings. Modules:
`listener` (bind an address), `serving` (limits of time, what is logged and counted), `tls_acceptor` (handshakes),
`aiohttp_internals` (what is overridden in aiohttp). Nothing is imported here, so that the supervisor can bind a
listener without loading aiohttp.
"""
