"""Where goodput stops following the offered load, and what comes after, under one policy or several."""
