"""The authorizer function: decides who may connect. Standard library only; byte for byte what runs in AWS."""
