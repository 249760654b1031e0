"""The resilience patterns, one file each, and the pipeline that puts them in order."""
