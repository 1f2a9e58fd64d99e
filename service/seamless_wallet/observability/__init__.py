"""What operators see of a running service: health, metrics and the log.

It knows structlog and `logging`, and no other room, so that every room may use it. Nothing of it is needed for the work
of a process: a full disk or a reader who hangs costs lines or numbers. Nothing is imported here.

- The log: `logs` (the form of a line), `line_writer` (writes lines without waiting), `standard_streams` (what is
  printed), `call_context` (which call a line belongs to), `structlog_import` (without rich), `rate_limited_log` (for
  faults that come in bursts).
- Metrics: `metrics` (every metric, declared once), `instruments` (counters, gauges, histograms), `exposition` (the text
  format of Prometheus), `metrics_reference` (writes docs/metrics.md).
- Over processes: `process_counters` (what one process counts), `process_health` and `health_server` (serve that),
  `run_directory` (where), `collector` and `snapshots` (all processes together).
"""
