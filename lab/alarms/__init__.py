"""How CloudWatch decides about alarms, as pure functions: for the lab on moto and for the simulator."""
