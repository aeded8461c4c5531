"""Pages for people. They know nothing but the API, which they ask from inside the process in the reader's name."""
