"""Dashboards, made from one table of metrics (candlefish/measures.py): CloudWatch's in template.yaml, Grafana's as files."""
