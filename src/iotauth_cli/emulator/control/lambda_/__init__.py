"""AWS Lambda: functions, who may call them, and calling them."""
