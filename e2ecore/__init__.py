"""The public API of e2ecore: what is listed in ``__all__`` and nothing else."""
