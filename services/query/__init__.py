"""The lookup API: serves what is stored, and says up to when it is true. Reads only."""
