"""What every stage stands on: params, files, errors, the processor, and the command that runs it."""
