"""One thin module for each stage: read params and deps, call the library, write the outs."""
