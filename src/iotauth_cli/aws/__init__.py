"""AWS, one module per service. botocore and its exceptions are seen only here."""
