"""IAM, as much as deploying a function needs: roles, their policies, and whom they trust."""
