"""The Kubernetes API, through the `kubernetes` package in its fast way."""
