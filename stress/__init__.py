"""The storm: concurrent faults on the real testbed, followed by an audit that nothing was lost (docs/storm.md)."""
