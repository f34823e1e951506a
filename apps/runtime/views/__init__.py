"""The runtime's addresses: what visitors and their programs ask, and what they are answered."""
