"""The handlers of Azure AI Face's calls, a file a resource."""
