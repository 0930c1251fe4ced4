"""Where the rows have their knowledge from."""

CONNECTING = 'AWS IoT developer guide, "Connecting devices to AWS IoT"'
CUSTOM_AUTH = 'AWS IoT developer guide, "Custom authentication"'
DOMAINS = 'AWS IoT developer guide, "Domain configurations"'
FUNCTION = 'AWS IoT developer guide, "Defining your Lambda function"'
LIMITS = 'AWS General Reference, "AWS IoT Core endpoints and quotas"'
LOGGING = 'AWS IoT developer guide, "Monitor AWS IoT using CloudWatch Logs"'
MQTT = 'AWS IoT developer guide, "MQTT"'
POLICY_ACTIONS = 'AWS IoT developer guide, "AWS IoT Core policy actions"'
POLICY_EXAMPLES = 'AWS IoT developer guide, "Publish/Subscribe policy examples"'
PROTOCOLS = 'AWS IoT developer guide, "Device communication protocols"'
REASONS = "iotauth_authorizer.authorize, the table of reasons"
SERVER_CERTIFICATES = 'AWS IoT developer guide, "Server authentication"'
TRANSPORT = 'AWS IoT developer guide, "Transport security in AWS IoT"'
TROUBLESHOOTING = 'AWS IoT developer guide, "Troubleshooting your authorizers"'
VALIDITY = "RFC 5280, section 4.1.2.5"
