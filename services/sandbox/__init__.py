"""A small company to try things on: tools that speak their real protocols on loopback, strict as the real ones are."""
