"""What environments cost: spent, forecast, target, and what sleeping saved."""
