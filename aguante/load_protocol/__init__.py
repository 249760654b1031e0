"""The request record and the rate curve: all that ``loadtests`` imports."""
