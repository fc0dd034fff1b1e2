"""From the declarations under params/ to resolved runs: what each run is, what decides it, and what it costs."""
