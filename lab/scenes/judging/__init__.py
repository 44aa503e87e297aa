"""Canaries that most judges get wrong, live: real traffic, CloudWatch as an ALB fills it, and a real Prometheus."""
