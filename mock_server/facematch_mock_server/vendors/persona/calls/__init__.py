"""The handlers of Persona's calls, a file a resource."""
