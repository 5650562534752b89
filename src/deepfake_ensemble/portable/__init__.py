"""The ensemble as one file that runs without TensorFlow, and carries what a user must know of it."""

import os

# ONNX Runtime reports its use to its maker: it looks up a host when it is imported, and keeps a number of the
# computer in HOME. It reads this once, on import; a package's own lines come before those of all its modules.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
