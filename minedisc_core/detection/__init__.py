"""The two nets, models on disk, the scan and the sites."""
