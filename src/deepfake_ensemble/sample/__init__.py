"""The sample archives, synthesised from photographs that packages of the environment carry."""
