"""The Jira connector against the sandbox's Jira, own recordings, and real material where it is at hand."""
