"""DynamoDB's expression languages: conditions, filters, key conditions, updates, projections.

A text becomes a tree (`parse`, remembered per text), the tree is held against the names and values
of the request (`check`, `update`, `projection`), and a checked tree is applied to items (`evaluate`,
`update`, `projection`). Everything here is pure; `request` reads all expressions of one request.
"""
