"""Times and ids, as the store has them and as messages do. The same for all services."""
