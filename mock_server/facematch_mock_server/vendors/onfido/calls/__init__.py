"""The handlers of Onfido's calls, a file a resource."""
