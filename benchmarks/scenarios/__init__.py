"""What is measured: one module per scenario, each with its references and its goals."""
