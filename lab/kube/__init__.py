"""A Kubernetes API good enough for what the control plane uses of one. What it lacks: docs/kubernetes.md."""
