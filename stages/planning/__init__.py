"""From the declarations under params/ to resolved runs: what each is, what decides it, and what it costs."""
