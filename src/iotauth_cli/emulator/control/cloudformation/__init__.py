"""CloudFormation: stacks of tables, functions, authorizers and what belongs to them; `kinds` has them all.

text → syntax → template → (sam) → parameters, conditions → intrinsics → kinds → the other services
                                          plan: what differs from what is there
                                          deployment: do it in order, undo it when it fails
"""
