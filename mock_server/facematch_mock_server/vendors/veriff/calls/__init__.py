"""The handlers of Veriff's calls, a file a resource."""
