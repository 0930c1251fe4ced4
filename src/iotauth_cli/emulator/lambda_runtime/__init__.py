"""Run uploaded functions in child processes behind the Lambda Runtime API."""
