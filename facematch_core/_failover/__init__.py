"""What a failover is made of: its members, and the rules by which it goes from one to the next."""
