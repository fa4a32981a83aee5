"""Scripts that fit what is shipped fitted, on files with `train` in their name only."""
