"""Many runs: suites and saturation sweeps."""
