"""Who converts which clip: worker processes on this machine, or a Dask cluster."""
