"""What carries users' requests: a load balancer and the Pods behind it, in a process of their own.

`dataplane` is that process and `process` its parent's end; `alb`, `routing` and `pods` are what runs in it;
`pod_runtime` runs the fake cluster's Pods there. `behaviour` and `registry` say what images there are and how they
behave, and `load` is the users.
"""
