"""What operators see of a running service: metrics and the log.

It knows prometheus-client, structlog and `logging`, and no other room, so that every room may use it. Modules:
`metrics` (every metric, declared once), `metrics_reference` (writes docs/metrics.md), `logs` (the form of a log line),
`line_writer` (writes lines without waiting), `standard_streams` (what is printed), `structlog_import` (without rich),
`rate_limited_log` (for faults that come in bursts). Nothing is imported here: prometheus-client decides at its import
whether processes share their counters.
"""
