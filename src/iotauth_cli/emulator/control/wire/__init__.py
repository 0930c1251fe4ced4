"""From HTTP to checked parameters and back, as botocore's service models say it for each service."""
