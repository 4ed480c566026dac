"""What Ray Serve hosts: thin deployments around the core, bound in `app.py`."""
