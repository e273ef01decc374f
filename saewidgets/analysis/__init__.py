"""One question a module, answered as data: records, frozen dataclasses, or tables."""
