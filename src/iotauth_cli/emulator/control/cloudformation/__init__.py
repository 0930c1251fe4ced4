"""CloudFormation: stacks of tables, functions, permissions, authorizers, roles and log groups.

text → syntax → template → (sam) → parameters, conditions → intrinsics → kinds → the other services
                                          plan: what differs from what is there
                                          deployment: do it in order, undo it when it fails
"""
