"""Classifying collections of millions of images, shard by shard, by one process or many."""
