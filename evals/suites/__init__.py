"""One file per suite; each has `run(arguments) -> Result`."""
