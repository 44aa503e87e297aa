"""The state machines in virtual time: an interpreter of Amazon States Language with JSONata.

It knows what the definitions in statemachines/ use, and refuses everything else when a machine is defined.
It is held against moto's engine (tests/contract/machines, with a table of where moto differs from what AWS
documents) and against AWS's documents alone (tests/unit/simulator/machines).

What it does not imitate: the seconds that AWS takes between states, the limits on starts and transitions a
second, IAM, history as GetExecutionHistory gives it (there are `Moment`s instead), redrive, versions and
aliases, the metadata of the SDK in results, the exact words of a cause that Step Functions itself writes.
"""

from lab.simulator.machines.engine import Machines
from lab.simulator.machines.errors import FunctionError, InvalidDefinition, Refused
from lab.simulator.machines.execution import Execution, Machine, Moment
from lab.simulator.machines.substitution import substituted
from lab.simulator.machines.visit import Coverage

__all__ = [
    "Coverage",
    "Execution",
    "FunctionError",
    "InvalidDefinition",
    "Machine",
    "Machines",
    "Moment",
    "Refused",
    "substituted",
]
