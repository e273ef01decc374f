"""What scripts/build_docs.py puts the site together with, one module per part."""
