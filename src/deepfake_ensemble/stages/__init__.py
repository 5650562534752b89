"""One thin module for each DVC stage: read params and deps, call the library, write the outs."""
