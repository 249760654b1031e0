"""What the five services agree on and another system would not have: links, policy, timeout budget, ids and orders."""
