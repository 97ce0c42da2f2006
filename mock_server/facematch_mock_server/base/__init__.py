"""What all rooms of the mock are built on: messages, forms, records, and what may be shown."""
