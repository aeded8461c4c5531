"""kill -9 at named points and random ones, restarts, two workers: the outcome is that of an undisturbed run."""
