"""History that goes elsewhere: into files and out of them, and to another device."""
