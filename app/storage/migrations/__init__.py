"""How the schema came to be: one file a step, in `versions`, run by `app.storage.migrations.runner`."""
