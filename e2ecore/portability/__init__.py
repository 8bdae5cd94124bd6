"""Files that people take along: our own export, and what other messengers export."""
