"""HTTP between services: the client's side, the server's side, and the limits of both."""
