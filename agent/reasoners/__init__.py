"""Chat models that stand in for a real one."""
