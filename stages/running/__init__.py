"""How the runs of a sweep are carried out: the driver, one job, the store of finished runs."""
