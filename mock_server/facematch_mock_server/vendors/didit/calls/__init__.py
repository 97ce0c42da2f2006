"""The handlers of Didit's calls, a file a resource."""
