"""The storm: everything goes wrong at once on the real testbed, and then nothing may be lost (docs/storm.md)."""
