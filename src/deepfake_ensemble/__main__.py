"""`python -m deepfake_ensemble` is the command `deepfake-ensemble`."""

from deepfake_ensemble.use.command_line import main

if __name__ == "__main__":
    main()
