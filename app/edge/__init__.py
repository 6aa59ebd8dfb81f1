"""How bytes enter: the data-plane ASGI application, its server and its drain."""
