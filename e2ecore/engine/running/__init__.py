"""What keeps an open engine going: its state, its jobs in the writer's thread, its tasks."""
