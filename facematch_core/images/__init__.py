"""Pictures: read, limited, and freed of what they say beside the picture."""
