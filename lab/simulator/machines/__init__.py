"""The state machines in virtual time: an interpreter of Amazon States Language with JSONata.

It knows what the definitions in statemachines/ use, and refuses everything else when a machine is defined.
It is held against moto's engine (tests/contract/machines) and against AWS's documents (tests/unit/simulator).
"""

from lab.simulator.machines.engine import Machines
from lab.simulator.machines.errors import FunctionError, InvalidDefinition, Refused
from lab.simulator.machines.execution import Execution, Moment
from lab.simulator.machines.substitution import substituted
from lab.simulator.machines.visit import Coverage

__all__ = [
    "Coverage",
    "Execution",
    "FunctionError",
    "InvalidDefinition",
    "Machines",
    "Moment",
    "Refused",
    "substituted",
]
