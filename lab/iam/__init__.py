"""IAM as AWS evaluates it: who may do what to which resource. Values in, a decision out; nothing of moto, nothing of the product.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""
