"""The commands as they are typed. Each loads what it works with only when it is called, so that help comes at once."""
