"""The AWS account: one endpoint for every API, and what joins the emulators behind it.

The endpoint is moto's server with faults and a record of who called what; stacks are deployed into it. Load balancers
hand their rules to the data plane, its counts become CloudWatch metrics, function URLs get ports, clusters know IAM's
people, and nodegroups give clusters their nodes.
"""
