"""How large something is: replicas, CPU and memory."""

from __future__ import annotations

from typing import Annotated

from candlefish.catalog.model.scalars import Count, Cpu, Memory, Model, number


class Replicas(Model, frozen=True):
    """The range a HorizontalPodAutoscaler may move in."""

    # Never fewer.
    min: Count
    # Never more.
    max: Count
    # CPU use, of the request, that the autoscaler aims for.
    target_cpu_percent: Annotated[int, number("write a percentage from 1 to 100", 1, 100)] = 70


class Resources(Model, frozen=True):
    """CPU and memory of one container, in Kubernetes quantities."""

    cpu: Cpu
    memory: Memory
    cpu_limit: Cpu
    memory_limit: Memory
