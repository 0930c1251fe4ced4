"""The AWS APIs that iotauth and its users call, parsed and checked by botocore's own service models."""
