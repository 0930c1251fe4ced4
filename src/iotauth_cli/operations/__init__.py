"""What iotauth does, one module per noun. Values in, frozen results and events out."""
