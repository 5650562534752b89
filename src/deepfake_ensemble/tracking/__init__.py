"""What follows a training while it runs (TensorBoard, Weights & Biases, MLflow), and decides nothing."""
