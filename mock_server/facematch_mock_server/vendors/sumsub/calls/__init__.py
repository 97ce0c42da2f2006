"""The handlers of Sumsub's calls, a file a resource."""
