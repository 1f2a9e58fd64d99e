"""Dashboards for Grafana 11, as code: `python -m deploy.dashboards` writes deploy/grafana/.

Each dashboard is one module with its panels. `panels` makes them alike: units, thresholds, and links to the runbook.
"""
