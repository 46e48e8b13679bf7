"""The API's description, OpenAPI 3.1, made of what the services say of themselves; and a page to try it."""
