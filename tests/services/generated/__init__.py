"""Requests that nobody wrote by hand, to every operation of the API, by whoever may come."""
