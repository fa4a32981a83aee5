"""Chat models that run on this computer."""
