"""The composition root: one module for each kind of process builds its parts and connects them.

It knows every room below it. Only here do real clocks, randomness, listening sockets and connections to Redis and SQL
come into being. It holds no rule of the wallet. Modules: `worker`, `admin` and `writer` (the processes), `assembly`
(the wallet of a worker or admin process), `start_checks` (what it tries before it serves), `ledger_connection`,
`action_log` (the audit log), `provider_accounts` (the settings as commands read them, and their providers),
`http_service` (serving HTTP), `health_service` (serving health and counters), `readiness` (what `/readyz` says),
`event_loop`, `lifetime` and `generations` (how a process runs, reloads and ends), `system_ports` (the real clock and
randomness), `settings_reference` (writes docs/settings.md).
"""
