"""Chat systems that run the same workloads: ours, and the peers it is compared with."""
