"""The gateway's HTTP application, made by `app.create_app`; it knows nothing of Ray."""
