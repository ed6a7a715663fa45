"""What the catalog keeps of stream apps: the contract is `core.apps.AppRecords`."""
