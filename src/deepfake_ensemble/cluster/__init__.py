"""Chains of stages on several GPUs or hosts: what is handed out, to whom, and what comes back.

A chain is what one detector needs a GPU for: train, predict, perturb. `head` prepares, hands out and joins,
`unit` runs one chain in a clone of its own, and engines start units: a loop, Ray, Slurm, or whoever can start
a command.
"""
