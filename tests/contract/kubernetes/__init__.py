"""Contract of the Kubernetes API."""
