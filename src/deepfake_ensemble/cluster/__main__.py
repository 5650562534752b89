"""Bring the study up to date with its chains run elsewhere: `make cluster`."""

import argparse

from deepfake_ensemble.cluster import engines, head
from deepfake_ensemble.foundation.errors import exiting

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="make cluster", description=__doc__)
    engines.add_arguments(parser)
    with exiting():
        head.study(engines.handing(parser.parse_args()))
