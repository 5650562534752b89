"""What follows a training while it runs (TensorBoard, W&B, MLflow, DVCLive), and decides nothing."""
