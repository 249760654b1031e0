"""PostgreSQL through a link: the pool, statements, and the names of their failures."""
