"""What the catalog keeps of devices: one file for each contract of `core.devices`."""
