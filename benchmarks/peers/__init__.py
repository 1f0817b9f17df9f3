"""The peers: each a program that runs in an environment of its own and knows of the project `benchmarks.job` alone."""
