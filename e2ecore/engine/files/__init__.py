"""Files: copied in, sealed and uploaded; fetched, opened and written out."""
