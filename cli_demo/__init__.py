"""An app like any other: imports e2ecore and nothing else of ours."""
