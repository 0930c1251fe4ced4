"""Pieces of remedies that several rows share; names in braces as in `diagnose.names_of`."""

ROW = "the row of `{client}` in table `{table}`"
CREATE = "`iotauth authorizer create {authorizer}{where}`"
REPLACE = "hand out a new one: `iotauth client rotate {client}{where}`"

# `aws logs tail` would be shorter, and exists in version 2 of the AWS CLI alone.
READ_LOG = "{aws} logs filter-log-events --log-group-name"
FUNCTION_LOG = f"`{READ_LOG} /aws/lambda/{{function}}`"
AWS_IOT_LOG = f"`{READ_LOG} AWSIotLogsV2`"
